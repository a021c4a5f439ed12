"""Words that are never printed: from the environment, or from a file that nobody else may read."""

import os
import stat

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.nightly.facts.tell import Secret

_HIDDEN = "***"


def word_of(secret: Secret) -> str:
    """The word itself. Raises ConfigurationError without it."""
    if secret.text is not None:
        return secret.text
    if secret.env is not None:
        word = os.environ.get(secret.env, "").strip()
        if not word:
            raise ConfigurationError(f"the variable {secret.env} is not set. Set it for the night.")
        return word
    file = secret.file
    assert file is not None
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise ConfigurationError(
                f"{file} has mode {mode:03o}, so others may read the secret in it. `chmod 600 {file}`"
            )
        word = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}, which holds a secret, cannot be read: {error}") from error
    if not word:
        raise ConfigurationError(f"{file}, which holds a secret, is empty")
    return word


def hidden(text: str, words: list[str]) -> str:
    """A text in which the words are replaced by stars."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, _HIDDEN)
    return text
