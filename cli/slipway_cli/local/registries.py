"""What builds need of the user's own settings to reach package registries: proxies, certificates, mirrors.

Builds see neither the home directory nor /etc, so what stands in pip's and npm's own files is told as environment.
"""

import configparser
import os
from collections.abc import Iterator
from pathlib import Path

NAMES = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
         "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")  # fmt: skip
PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "find-links", "cert", "timeout")


def build_environment() -> dict[str, str]:
    """Variables for the engine; what is set in the environment wins over the files."""
    own = {key: value for key, value in os.environ.items() if key.upper() in NAMES or key.startswith(PREFIXES)}
    return {**dict(_pip_settings()), **dict(_npm_settings()), **own}


def _pip_settings() -> Iterator[tuple[str, str]]:
    """As pip reads them: the machine's file, then the user's."""
    parser = configparser.RawConfigParser()
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    named = os.environ.get("PIP_CONFIG_FILE", "")
    files = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf", Path.home() / ".pip" / "pip.conf", settings / "pip" / "pip.conf"]
    try:
        parser.read([str(file) for file in [*files, named] if file], encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return
    for setting in PIP_SETTINGS:
        value = parser.get("global", setting, fallback="").split()
        if value:
            name = "DEFAULT_TIMEOUT" if setting == "timeout" else setting.upper().replace("-", "_")
            yield f"PIP_{name}", " ".join(value)


def _npm_settings() -> Iterator[tuple[str, str]]:
    """The registry alone: tokens in .npmrc are the user's, not of every build."""
    try:
        lines = (Path.home() / ".npmrc").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "registry":
            yield "NPM_CONFIG_REGISTRY", value.strip()
