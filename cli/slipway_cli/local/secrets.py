"""Keys and passwords of a platform: drawn once, mode 0600, never in an argument or a log."""

import json
import secrets
import string
from typing import Any

from slipway_cli.local.home import Home
from slipway_embedded.processes import write_private

LOGIN_EMAIL = "admin@slipway.localhost"
RECOVERY_KEY_BYTES = 32


def make_keys(home: Home) -> tuple[bytes, bytes]:
    """Every key that isn't there yet; gives the public keys of the webhook gateway and of the built-in remote."""
    from slipway_security.envelope import create_master_key
    from slipway_security.sealing import load_or_create_keypair

    for name in ("master", "recordings"):
        if not (home.keys / f"{name}.key").exists():
            create_master_key(home.keys / f"{name}.key")
    if not home.recovery_key_file.exists():
        write_private(home.recovery_key_file, new_recovery_key() + "\n")
    webhooks, git = (load_or_create_keypair(home.keys / f"{name}.key") for name in ("webhooks", "git"))
    return webhooks.public, git.public


def new_recovery_key() -> str:
    """The key that opens backups, in a form that can be written down: 52 letters and digits in groups of four."""
    import base64

    text = base64.b32encode(secrets.token_bytes(RECOVERY_KEY_BYTES)).decode().rstrip("=")
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def login(home: Home) -> dict[str, str]:
    """E-mail and password of the first user, drawn before the first start."""
    if not home.login_file.exists():
        letters = string.ascii_lowercase + string.digits
        password = "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))
        write_private(home.login_file, json.dumps({"email": LOGIN_EMAIL, "password": password}) + "\n")
    return dict(json.loads(home.login_file.read_text()))


def api_token(home: Home) -> str:
    """The token of the command line, drawn before core is told of it, so that no answer can be lost."""
    from slipway_security.tokens import new_token

    if not home.token_file.exists():
        write_private(home.token_file, new_token() + "\n")
    return home.token_file.read_text().strip()


def bootstrap(home: Home) -> dict[str, Any]:
    """What core's bootstrap answered; empty before the first one."""
    try:
        return dict(json.loads(home.bootstrap_file.read_text()))
    except FileNotFoundError:
        return {}


def keep_bootstrap(home: Home, answer: dict[str, Any]) -> dict[str, Any]:
    """Keep the answer; a secret that came back as null was given earlier and stays."""
    kept = bootstrap(home) | {key: value for key, value in answer.items() if value is not None}
    write_private(home.bootstrap_file, json.dumps(kept, indent=1) + "\n")
    return kept
