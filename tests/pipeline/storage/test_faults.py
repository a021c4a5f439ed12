"""What an error of the operating system means for a run."""

import pwd

import pytest
from users import NOBODY, as_nobody, open_folder

from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.storage import faults


@pytest.mark.parametrize("is_there", [True, False])
def test_a_result_of_another_user_goes_on_after_chown(is_there: bool) -> None:
    said = f"belongs to root: `chown -R {pwd.getpwuid(NOBODY).pw_name} OUT`"
    with open_folder() as folder:
        lock = folder / "lock"
        if is_there:
            lock.write_text("")
        with as_nobody(), pytest.raises(OutputNotWritableError, match=said), faults.guarding(folder):
            lock.write_text("x")
