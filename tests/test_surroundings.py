"""What the environment says to the clients of clouds, in each of the words that the clouds' own tools read."""

from __future__ import annotations

import pytest

from redun.surroundings import AzureSurroundings, azure_surroundings, google_surroundings

CONNECTION = "DefaultEndpointsProtocol=https;AccountName=lab;AccountKey=a2V5PT0=;EndpointSuffix=core.chinacloudapi.cn"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, AzureSurroundings(None, None, None, None)),
        (
            {"AZURE_STORAGE_ACCOUNT_NAME": "lab", "AZURE_STORAGE_ACCOUNT_KEY": "k"},
            AzureSurroundings("lab", "k", None, None),
        ),
        ({"AZURE_STORAGE_ACCOUNT": "lab", "AZURE_STORAGE_KEY": "k"}, AzureSurroundings("lab", "k", None, None)),
        ({"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=2"}, AzureSurroundings(None, None, "sv=1&sig=2", None)),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION, "AZURE_STORAGE_ACCOUNT": "other"},
            AzureSurroundings("lab", "a2V5PT0=", None, "https://lab.blob.core.chinacloudapi.cn"),
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=http://127.0.0.1:1/lab;SharedAccessSignature=sv=1&sig=2"},
            AzureSurroundings(None, None, "sv=1&sig=2", "http://127.0.0.1:1/lab"),
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=https://lab.blob.core.windows.net/"},
            AzureSurroundings("lab", None, None, "https://lab.blob.core.windows.net"),
        ),
    ],
)
def test_azure(environ, expected) -> None:
    """A connection string comes before the single variables; an equals sign in a key is part of it."""
    assert azure_surroundings(environ) == expected


@pytest.mark.parametrize(
    ("environ", "emulator"),
    [
        ({}, None),
        ({"STORAGE_EMULATOR_HOST": ""}, None),
        ({"STORAGE_EMULATOR_HOST": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        ({"STORAGE_EMULATOR_HOST": "127.0.0.1:1"}, "http://127.0.0.1:1"),
    ],
)
def test_google(environ, emulator) -> None:
    """A server that stands in for Google's may be named with or without a scheme."""
    assert google_surroundings(environ).emulator == emulator
