"""network.toml: what is read, and what is refused with a remedy."""

from pathlib import Path

import pytest

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.nightly.facts import network
from crackpipe.pipeline.nightly.facts.tell import Hook, Secret

WHOLE = """
output = "crackpipe"
timezone = "Europe/Berlin"
crs = "EPSG:25832"
keep_nights = 30

[sources.north]
folder = "/mnt/share/north"
complete = "_SUCCESS"
results = "/srv/results/north"
priority = 5
settings = { weights = "lite-2025", exclude = ["*_ql.jpg"], gsd_max_mm = 6 }
sections = { centreline = "roads.gpkg", length = "100m" }
report = true
exports = ["gpkg"]

[tell]
metrics = "/var/lib/metrics/crackpipe.prom"
ping = { env = "CRACKPIPE_PING" }

[tell.hooks.mail]
command = ["mail", "-s", "crack maps", "roads@example.org"]
secrets = { PASSWORD = { file = "word" } }

[sources.south]
glob = "south/20*/done_*"
quiet_minutes = 30
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "network.toml"
    file.write_text(text)
    return file


def test_a_whole_file(tmp_path: Path) -> None:
    found = network.read(written(tmp_path, WHOLE))
    north, south = found.sources
    assert found.output == tmp_path / "crackpipe"
    assert str(found.timezone) == "Europe/Berlin"
    assert (north.folder, north.results) == (Path("/mnt/share/north"), Path("/srv/results/north"))
    assert north.settings == {"weights": "lite-2025", "exclude": ("*_ql.jpg",), "gsd_max_mm": 6.0}
    assert (north.complete, north.priority, north.exports) == ("_SUCCESS", 5, ("gpkg",))
    assert (south.glob, south.quiet_s) == (str(tmp_path / "south/20*/done_*"), 1800)
    assert found.tell.metrics == Path("/var/lib/metrics/crackpipe.prom")
    assert found.tell.ping == Secret(env="CRACKPIPE_PING")
    command = ("mail", "-s", "crack maps", "roads@example.org")
    assert found.tell.hooks == (Hook("mail", command, secrets={"PASSWORD": Secret(file=tmp_path / "word")}),)
    assert south.results == tmp_path / "crackpipe/surveys/south"


ONE = 'output = "o"\n[sources.a]\nfolder = "f"\n'
REFUSED = {
    "output = ": "cannot be read as TOML",
    "[sources.a]\nfolder = 'f'": "'output' is missing",
    "output = 'o'": "'sources' is missing",
    "outputs = 'o'": "Did you mean 'output'",
    ONE + "glob = 'g'": "folder and glob. Give one",
    'output = "o"\n[sources.a]\n': "no place. Give one",
    'output = "o"\n[sources.a]\nprefix = "https://h.org/p"': "s3://BUCKET/PREFIX; https has no folders",
    'output = "o"\n[sources.a]\nprefix = "s3://key:word@b/p"': "without passwords in it",
    'output = "o"\n[sources.a]\nfolder = "gs://b/p"': "Give it as prefix = 'gs://b/p'",
    'output = "o"\n[sources.a]\nglob = "a/**"': r"Write each level: \*/\*",
    ONE + "quiet_minutes = -1": "from 0 to 1440",
    ONE + "complete = '../x'": "name of a file, such as _SUCCESS",
    ONE + "priority = 'high'": "must be of type int",
    ONE + "settings = { treshold = 0.5 }": "unknown key 'treshold'",
    ONE + "settings = { threshold = 5 }": "threshold is 5.0",
    ONE + "settings = { out = 'x' }": "`results` says where",
    ONE + "exports = [1]": "list of formats",
    ONE + "exports = ['gpgk']": "exports has 'gpgk', but formats are gpkg, fgb",
    'timezone = "Mars/Base"\n' + ONE: "timezone 'Mars/Base' is not known",
    'crs = "EPSG:1"\n' + ONE: "crs 'EPSG:1' is not known",
    "keep_nights = 0\n" + ONE: "at least 1",
    ONE + "[sources.A]\nfolder = 'g'": "differ in case alone",
    ONE + "results = 'r'\n[sources.b]\nfolder = 'g'\nresults = 'r'": "have the same `results`",
    'output = "o"\n[sources.".a"]\nfolder = "f"': "does not begin with a dot",
    'output = "o"\n[sources."a/b"]\nfolder = "f"': "printable characters, no '/'",
    'output = "o"\n[sources.__HIVE_DEFAULT_PARTITION__]\nfolder = "f"': "is not __HIVE_DEFAULT_PARTITION__",
    'output = "o"\n[sources]\na = 1': "must be a table",
    'output = "f"\n[sources.a]\nfolder = "f"': "a folder of its own",
    'output = "f"\n[sources.a]\nglob = "f/2*"': "a folder of its own",
    ONE + "[tell]\nmails = 1": "unknown key 'mails'",
    ONE + "[tell]\nmetrics = 'x.txt'": r"node_exporter reads \*.prom",
    ONE + "[tell.hooks.mail]\ncommand = 'mail -s x'": "command has the wrong type",
    ONE + "[tell.hooks.mail]\ncommand = []": "must be a list of program and arguments",
    ONE + "[tell.hooks.mail]\ncommand = ['mail']\nstdin = 'html'": "one of markdown, json",
    ONE + "[tell.hooks]\nmail = 'x'": r"must be a table: \[tell.hooks.mail\]",
    ONE + "[tell]\nping = { url = 's3cret' }": r'tell.ping must be \{ env = "NAME" \}',
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_meant_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=REFUSED[text]):
        network.read(written(tmp_path, text))
