#include <stdio.h>

const char *greeting(void);

int main(void)
{
    printf("%s from prog\n", greeting());
    return 0;
}
