"""Prices in a shop: tasks that take tasks, give tasks, and are put together from tasks."""

from redun import Task, task
from redun.functools import compose, flat_map, map_, starmap

redun_namespace = "redun.examples.higher_order"


@task()
def load_prices(shelf: str) -> list[float]:
    """Return the prices on a shelf."""
    return {"fruit": [2.0, 3.5], "bread": [4.0]}[shelf]


@task()
def discount(percent: float, price: float) -> float:
    """Lower a price."""
    return round(price * (1 - percent / 100), 2)


@task()
def add_tax(price: float) -> float:
    """Add the tax to a price."""
    return round(price * 1.07, 2)


@task()
def show(price: float, currency: str) -> str:
    """Write a price down."""
    return f"{price:.2f} {currency}"


@task()
def sale(shelf: str = "fruit") -> list[float]:
    """Apply one task to each of some values that are not there yet."""
    return map_(discount.partial(10), load_prices(shelf))


@task()
def final_prices(shelves: list[str] = ["fruit", "bread"]) -> list[float]:
    """Put two tasks together, and apply both to all prices of all shelves."""
    to_pay = compose(add_tax, discount.partial(10))
    return map_(to_pay, flat_map(load_prices, shelves))


@task()
def choose_rule(is_member: bool) -> Task:
    """Return a task: which one decides what happens to prices."""
    return discount.partial(20) if is_member else add_tax


@task()
def apply_rule(rule: Task, price: float) -> float:
    """Call a task that was given as an argument."""
    return rule(price)


@task()
def member_price(price: float = 10.0, is_member: bool = True) -> list[str]:
    """Pay what a rule says, in two currencies."""
    paid = apply_rule(choose_rule(is_member), price)
    return starmap(show, [{"price": paid, "currency": "EUR"}, {"price": paid * 1.25, "currency": "USD"}])
