"""What answers and errors of AWS mean: refused, to be repeated, or perhaps carried out."""

from __future__ import annotations

import pytest

from redun.executors.aws import AwsRefused, AwsService, AwsUnavailable, _meaning_of


def client_error(code, status=400):
    """Make the error that boto3 raises for an answer."""
    from botocore.exceptions import ClientError

    answer = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Verb")


@pytest.mark.parametrize(
    ("code", "status", "may_be_done"),
    [
        ("ThrottlingException", 400, False),
        ("TooManyRequestsException", 429, False),
        ("SomethingNew", 429, False),
        ("SlowDown", 503, False),
        ("OperationTimeoutException", 400, True),
        ("InternalFailure", 500, True),
        ("ServiceUnavailable", 503, True),
    ],
)
def test_what_may_pass_is_told_from_what_may_be_done(code, status, may_be_done):
    """Throttled requests were not carried out; those that failed over there may have been."""
    meaning = _meaning_of(client_error(code, status), "batch:SubmitJob")
    assert isinstance(meaning, AwsUnavailable)
    assert meaning.may_be_done is may_be_done
    assert meaning.verb == "batch:SubmitJob"


@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        ("ExpiredTokenException", "have expired", "log in again"),
        ("UnrecognizedClientException", "does not know the credentials", "AWS_PROFILE"),
        ("AccessDeniedException", "does not allow batch:SubmitJob", "allow batch:SubmitJob"),
        ("ClientException", "refused batch:SubmitJob: ClientException: why", ""),
    ],
)
def test_a_refusal_says_what_to_do(code, words, hint):
    """The error has AWS's code and words, and a hint where there is something to do."""
    meaning = _meaning_of(client_error(code), "batch:SubmitJob")
    assert isinstance(meaning, AwsRefused)
    assert words in str(meaning)
    assert hint in meaning.hint
    assert meaning.code == code


def test_errors_of_connections_may_pass():
    """A request that never left was not carried out; one that was cut may have been."""
    from botocore import exceptions

    never = _meaning_of(exceptions.ConnectTimeoutError(endpoint_url="x"), "v")
    cut = _meaning_of(exceptions.ReadTimeoutError(endpoint_url="x"), "v")
    closed = _meaning_of(exceptions.ConnectionClosedError(endpoint_url="x"), "v")
    assert [meaning.may_be_done for meaning in (never, cut, closed)] == [False, True, True]


def test_credentials_that_cannot_be_had_are_refused():
    """None, half of them, an unknown profile, and a login that is over, each with what to do."""
    from botocore import exceptions

    errors = [
        exceptions.NoCredentialsError(),
        exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        exceptions.ProfileNotFound(profile="nobody"),
        exceptions.UnauthorizedSSOTokenError(),
        exceptions.CredentialRetrievalError(provider="process", error_msg="no"),
    ]
    meanings = [_meaning_of(error, "v") for error in errors]
    assert all(isinstance(meaning, AwsRefused) and meaning.hint for meaning in meanings)


def test_a_request_that_is_malformed_is_refused(monkeypatch):
    """What boto3 itself does not send is an error of this request."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    service = AwsService("batch", "us-east-1")
    with pytest.raises(AwsRefused, match=r"(?s)batch:SubmitJob.*jobName"):
        service.call("submit_job", jobQueue="queue")
    service.close()


def test_an_error_that_is_not_of_boto3_stays_as_it_is():
    """A mistake of redun's own is not dressed up as one of AWS."""
    assert _meaning_of(ValueError("ours"), "v") is None


def test_pages_are_read_to_the_last(monkeypatch):
    """A listing goes on for as long as there is a token, each time with the one that it got."""
    service, asked = AwsService("batch", None), []
    pages = {None: {"jobs": [1, 2], "nextToken": "a"}, "a": {"jobs": [], "nextToken": "b"}, "b": {"jobs": [3]}}

    def call(_operation, **request):
        asked.append(request)
        return pages[request.get("nextToken")]

    monkeypatch.setattr(service, "call", call)
    assert list(service.iter_items("list_jobs", "jobs", jobQueue="q")) == [1, 2, 3]
    assert [request.get("nextToken") for request in asked] == [None, "a", "b"]
    assert all(request["jobQueue"] == "q" for request in asked)
