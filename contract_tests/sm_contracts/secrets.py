"""What looks like a credential in variables, labels, build history and files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHAPES = {
    "an AWS access key id": r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "an API key of OpenAI's form": r"\bsk-[A-Za-z0-9_-]{20,}",
    "a Stripe key": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}",
    "a PyPI token": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "a password in a URL": r"://[^/\s:@$<{]+:[^/\s:@$<{*]{3,}@[A-Za-z0-9]",
}
_SHAPE = {name: re.compile(shape) for name, shape in _SHAPES.items()}

_AWS_NAMES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
_PASSWORD = re.compile(r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE)$", re.IGNORECASE)
_SECRET = re.compile(
    r"(?:^|_)(?:SECRET|SECRET_KEY|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CLIENT_SECRET|CREDENTIALS?)$", re.IGNORECASE
)
_TOKEN = re.compile(r"(?:^|_)TOKEN$", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(?:change_?me|placeholder|none|null|true|false|yes|no|on|off|undefined|unset|todo|redacted"
    r"|x+|\*+|\.+|your[-_ ].*|[0-9]{1,3})",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(r"(?<![\w.-])([A-Za-z_][A-Za-z0-9_]*)=(\"[^\"]*\"|'[^']*'|[^\s;&|\"']+)")


def in_value(name: str, value: str) -> str:
    """Say what credential a named value is, or nothing."""
    for what, shape in _SHAPE.items():
        if shape.search(value):
            return what
    value = value.strip().strip("\"'")
    if not value or value[0] in "$<{" or "$(" in value or _PLACEHOLDER.fullmatch(value):
        return ""
    if name.upper() in _AWS_NAMES:
        return "an AWS credential"
    if value.startswith(("/", "./", "~")):
        return ""  # where a secret will lie is none
    if _PASSWORD.search(name):
        return "a password"
    if _SECRET.search(name) and len(value) >= 6:
        return "a secret"
    if _TOKEN.search(name) and re.fullmatch(r"(?=.*[0-9])(?=.*[A-Za-z])[\w.+/=-]{8,}", value):
        return "a token"
    return ""


def in_command(command: str) -> Iterator[tuple[str, str, str]]:
    """Find credentials in a build step: the name (or nothing), what it is, and the value."""
    rest = command
    for found in _ASSIGNED.finditer(command):
        name, value = found[1], found[2]
        what = in_value(name, value)
        if what:
            yield name, what, value.strip("\"'")
            rest = rest.replace(found[0], "")
    for what, shape in _SHAPE.items():
        for match in shape.finditer(rest):
            yield "", what, match[0]


def in_text(text: str) -> str:
    """Say what credential a file's text holds, by shape alone."""
    for what, shape in _SHAPE.items():
        if shape.search(text):
            return what
    return ""


def masked(value: str) -> str:
    """Give enough of a secret to find it again, and no more."""
    return value[:4] + "..." if len(value) > 8 else "..."


_KEY_FILES: list[tuple[re.Pattern[str], re.Pattern[str], str]] = [
    (
        re.compile(r"/\.aws/(?:credentials|config)$"),
        re.compile(r"^\s*aws_(?:secret_access_key|session_token)\s*=\s*\S", re.MULTILINE),
        "AWS credentials",
    ),
    (
        re.compile(r"/(?:id_rsa|id_dsa|id_ecdsa|id_ed25519|id_ecdsa_sk|id_ed25519_sk)$"),
        re.compile(r"PRIVATE KEY-----"),
        "a private ssh key",
    ),
    (
        re.compile(r"\.(?:pem|key|p8)$"),
        re.compile(r"^-----BEGIN [A-Z ]*PRIVATE KEY-----", re.MULTILINE),
        "a private key",
    ),
    (re.compile(r"/\.netrc$"), re.compile(r"\bpassword\s+\S"), "a password"),
    (re.compile(r"/\.pypirc$"), re.compile(r"^\s*password\s*[=:]\s*\S", re.MULTILINE), "a password"),
    (re.compile(r"/\.docker/config\.json$"), re.compile(r'"auth"\s*:\s*"[^"]+"'), "a registry password"),
    (re.compile(r"/\.git-credentials$"), re.compile(r"://[^/\s:]+:[^@\s]+@"), "a git password"),
    (re.compile(r"/\.npmrc$"), re.compile(r"_auth(?:Token)?\s*=\s*[^$\s]"), "an npm token"),
    (re.compile(r"/\.kube/config$"), re.compile(r"(?:client-key-data|token|password):\s*\S"), "cluster credentials"),
    (
        re.compile(r"/application_default_credentials\.json$"),
        re.compile(r'"(?:private_key|refresh_token)"\s*:\s*"[^"]+"'),
        "Google credentials",
    ),
    (
        re.compile(r"/(?:\.cache/huggingface|\.huggingface)/token$"),
        re.compile(r"^hf_[A-Za-z0-9]{20,}", re.MULTILINE),
        "a Hugging Face token",
    ),
]  # fmt: skip
_NOT_THEIRS = re.compile(
    # what packages bring along: test data, examples, a machine's own host keys
    r"^/(?:usr/(?!src/|local/(?!lib/))|lib|var/lib/dpkg/|proc/|sys/)"
    r"|^/etc/(?:ssl/private/ssl-cert-snakeoil\.key|ssh/ssh_host_|pki/)"
    r"|/(?:site-packages|dist-packages|node_modules|tests?|testdata|examples?|docs?|pkgs)/"
)


def may_be_key_file(path: str) -> bool:
    """Tell whether a file's name makes its content worth a look."""
    return any(name.search(path) for name, _, _ in _KEY_FILES) and not (
        path.endswith((".pem", ".key", ".p8")) and _NOT_THEIRS.search(path)
    )


def in_key_file(path: str, content: bytes) -> str:
    """Say what credential a file of a well-known name holds, or nothing."""
    text = content.decode("utf-8", "replace")
    for name, inside, what in _KEY_FILES:
        if name.search(path) and inside.search(text):
            return what
    return ""
