"""Amazon's services as the executors use them: requests, pages of answers, and what an error means for a run.

The invariant: each request ends in an answer, in AwsRefused (repeating does not help; the hint says what does), or in
AwsUnavailable, an OSError (it may help: throttled, down, or unreachable).  boto3 takes 0.3 s to import and is loaded by
the first request.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from redun.executors.remote.submitter import SubmitterError

CONNECT_SECONDS = 10
READ_SECONDS = 60

_THROTTLED = frozenset({
    *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestThrottled"),
    *("RequestThrottledException", "RequestLimitExceeded", "BandwidthLimitExceeded", "SlowDown"),
    *("PriorRequestNotComplete", "ProvisionedThroughputExceededException", "ConcurrentModificationException"),
})  # fmt: skip
_NOT_ANSWERED = frozenset({"OperationTimeoutException"})  # Glue says so with status 400
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_KEY = frozenset({
    *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("AuthFailure", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken"),
})  # fmt: skip
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"})

_LOG_IN = "log in again (`aws sso login`, say) or renew AWS_ACCESS_KEY_ID and the like; what still runs is found again"
_SET_UP = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"


class AwsRefused(SubmitterError):
    """AWS refuses a request, or it cannot be made."""

    def __init__(self, message: str, *, verb: str, code: str = "", hint: str = "") -> None:
        """``verb``: what was asked, as IAM names it: ``batch:SubmitJob``.  ``code``: AWS's own for the error."""
        super().__init__(message, hint=hint)
        self.verb = verb
        self.code = code


class AwsUnavailable(OSError):
    """A request was not answered, or was put off: it may be repeated."""

    def __init__(self, message: str, *, verb: str, may_be_done: bool) -> None:
        """``may_be_done``: whether the request may have been carried out, and only its answer was lost."""
        super().__init__(message)
        self.verb = verb
        self.may_be_done = may_be_done


class AwsService:
    """One service in one region.  May be used from any thread."""

    def __init__(self, name: str, region: str | None, *, attempts: int = 1) -> None:
        """Make no connection yet.

        Args:
            name: as boto3 calls it: ``batch``, ``logs``, ``glue``, ``s3``.
            region: None takes what the environment or ~/.aws/config says.
            attempts: how often a request is made before it counts as not answered.
        """
        self.name = name
        self.region = region
        self._attempts = attempts
        self._client: Any = None
        self._lock = threading.Lock()

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Make a request (``submit_job``) and return its answer.

        Raises:
            AwsRefused: it is refused, or there are no credentials, no region or no boto3.
            AwsUnavailable: it may be repeated.
        """
        verb = f"{self.name}:{''.join(word.capitalize() for word in operation.split('_'))}"
        try:
            answer: dict[str, Any] = getattr(self._connect(), operation)(**request)
        except Exception as error:
            meaning = _meaning_of(error, verb)
            if meaning is None:
                raise
            if isinstance(meaning, AwsRefused) and meaning.code in _EXPIRED:
                self.close()  # the next request looks for credentials again: they may have been renewed
            raise meaning from error
        return answer

    def iter_items(
        self, operation: str, items: str, *, next_key: str = "nextToken", **request: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield what a listing has under the name ``items``, page after page.  Raises as ``call`` does."""
        while True:
            answer = self.call(operation, **request)
            yield from answer.get(items, ())
            if not answer.get(next_key):
                return
            request[next_key] = answer[next_key]

    def close(self) -> None:
        """Let go of connections; a later request makes new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connect(self) -> Any:
        with self._lock:
            if self._client is None:
                from boto3.session import Session
                from botocore.config import Config

                limits = Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    retries={"mode": "standard", "total_max_attempts": self._attempts},
                )
                # Sessions are not safe between threads, clients are.
                self._client = Session(region_name=self.region).client(self.name, config=limits)
            return self._client


def _meaning_of(error: Exception, verb: str) -> SubmitterError | AwsUnavailable | None:
    """Return what an error of boto3 means; None for one that is not its own."""
    if isinstance(error, ImportError):
        return AwsRefused("boto3 is not installed", verb=verb, hint="pip install 'redun[aws]'")
    from botocore import exceptions as aws

    if isinstance(error, aws.ClientError):
        return _meaning_of_answer(error.response, verb)
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound)):
        return AwsRefused(f"no credentials for AWS: {error}", verb=verb, code="NoCredentials", hint=_SET_UP)
    if isinstance(error, (aws.CredentialRetrievalError, aws.SSOError, aws.TokenRetrievalError)):
        return AwsRefused(f"the credentials for AWS cannot be renewed: {error}", verb=verb, hint=_LOG_IN)
    if isinstance(error, aws.NoRegionError):
        hint = "write aws_region in the executor's section, or set AWS_DEFAULT_REGION"
        return AwsRefused(f"{verb} needs a region of AWS, found none", verb=verb, code="NoRegion", hint=hint)
    if isinstance(error, (aws.EndpointConnectionError, aws.ConnectTimeoutError)):
        return AwsUnavailable(f"{verb}: {error}", verb=verb, may_be_done=False)
    if isinstance(error, (aws.HTTPClientError, aws.ConnectionError)):
        return AwsUnavailable(f"{verb}: {error}", verb=verb, may_be_done=True)
    if isinstance(error, aws.BotoCoreError):
        return AwsRefused(f"{verb}: {error}", verb=verb, code=type(error).__name__)
    return None


def _meaning_of_answer(answer: Mapping[str, Any], verb: str) -> AwsRefused | AwsUnavailable:
    """Return what it means that AWS answered with an error."""
    told = answer.get("Error", {})
    code, text = str(told.get("Code", "")), str(told.get("Message", ""))
    http_status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    if code in _THROTTLED or http_status == 429:
        return AwsUnavailable(f"{verb} was put off by AWS: {code}: {text}", verb=verb, may_be_done=False)
    if http_status >= 500 or code in _NOT_ANSWERED:
        return AwsUnavailable(f"{verb} failed at AWS: {code}: {text}", verb=verb, may_be_done=True)
    if code in _EXPIRED:
        return AwsRefused(f"the credentials for AWS have expired ({verb}): {text}", verb=verb, code=code, hint=_LOG_IN)
    if code in _UNKNOWN_KEY:
        return AwsRefused(
            f"AWS does not know the credentials in use ({verb}): {text}", verb=verb, code=code, hint=_SET_UP
        )
    if code in _FORBIDDEN:
        hint = f"allow {verb} to the user or role in use, or use another: AWS_PROFILE"
        return AwsRefused(f"AWS does not allow {verb}: {text}", verb=verb, code=code, hint=hint)
    return AwsRefused(f"AWS refused {verb}: {code}: {text}", verb=verb, code=code)
