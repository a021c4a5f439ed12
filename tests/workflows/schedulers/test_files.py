"""Units, scripts and recipes without a scheduler: they are read by what reads them, as far as it is here."""

import ast
import configparser
import inspect
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from paths import ROOT

from crackpipe.pipeline import errors

WORKFLOWS = ROOT / "workflows"
UNITS = ("crackpipe-nightly.service", "crackpipe-nightly.timer", "crackpipe-failed@.service")
RECIPES = [WORKFLOWS / name / "crackpipe_nightly.py" for name in ("prefect", "dagster", "airflow")]
SCRIPTS = [
    WORKFLOWS / "nightly.sh",
    WORKFLOWS / "slurm" / "nightly.sbatch",
    WORKFLOWS / "container" / "night.sh",
]
LINT = ROOT / "build" / "tools" / "lint" / "bin"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((WORKFLOWS / "systemd" / name).read_text(encoding="utf-8"))
    return parser


def kubernetes() -> dict[str, dict]:  # type: ignore[type-arg]
    text = (WORKFLOWS / "kubernetes" / "nightly.yaml").read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


# ---- systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    program = tmp_path / ".venv/bin/crackpipe"  # systemd-analyze looks whether it is there
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in UNITS:
        text = (WORKFLOWS / "systemd" / name).read_text().replace("/opt/crackpipe", str(tmp_path))
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in UNITS]
    result = subprocess.run(
        ["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "crackpipe" not in result.stderr, result.stderr


def test_the_service_is_no_root_and_tells_of_failures() -> None:
    service = unit("crackpipe-nightly.service")
    assert service["Service"]["User"] == "crackpipe"
    assert service["Service"]["NoNewPrivileges"] == "yes"
    assert service["Service"]["SuccessExitStatus"].split() == ["3", "75", "143"]
    assert service["Unit"]["OnFailure"] == "crackpipe-failed@%n.service"
    assert unit("crackpipe-nightly.timer")["Timer"]["Persistent"] == "true"


# ---- scripts


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_bash_reads_the_scripts(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize(("code", "told"), [(0, 0), (3, 0), (75, 0), (69, 69), (70, 70)])
def test_night_sh_makes_0_of_3_and_75(code: int, told: int, tmp_path: Path) -> None:
    (tmp_path / "crackpipe").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "crackpipe").chmod(0o755)
    command = [str(WORKFLOWS / "container" / "night.sh"), "nightly", "network.toml"]
    result = subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert result.returncode == told


def slurm(tmp_path: Path, code: int, *, begin: str, until: str, starts: int = 0) -> tuple[int, str]:
    """Exit code of the job, and what it asked of Slurm: `scontrol` here only says what it was asked."""
    for name, text in (
        ("scontrol", f'echo "$@" >> {tmp_path}/asked'),
        ("date", "echo 23:30"),
        ("crackpipe", f"exit {code}"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "CRACKPIPE": str(tmp_path / "crackpipe"),
        "BEGIN": begin,
        "UNTIL": until,
        "SLURM_JOB_ID": "7",
        "SLURM_RESTART_COUNT": str(starts),
    }
    job = ["bash", str(WORKFLOWS / "slurm" / "nightly.sbatch")]
    result = subprocess.run(job, env=environment, capture_output=True, check=False)
    asked = tmp_path / "asked"
    return result.returncode, asked.read_text() if asked.exists() else ""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, (0, "")),
        (3, (0, "")),
        (75, (0, "")),
        (143, (143, "requeue 7\n")),
        (74, (74, "requeue 7\n")),
        (70, (70, "")),
    ],
)
def test_a_slurm_job_goes_back_into_the_queue_where_that_helps(
    code: int, expected: tuple[int, str], tmp_path: Path
) -> None:
    assert slurm(tmp_path, code, begin="21:00", until="06:00") == expected


def test_a_slurm_job_is_not_queued_for_ever(tmp_path: Path) -> None:
    assert slurm(tmp_path, 69, begin="21:00", until="06:00", starts=5) == (69, "")


@pytest.mark.parametrize(("begin", "until"), [("01:00", "06:00"), ("21:00", "23:30"), ("23:31", "23:00")])
def test_a_slurm_job_is_not_queued_by_day_and_keeps_its_code(begin: str, until: str, tmp_path: Path) -> None:
    assert slurm(tmp_path, 71, begin=begin, until=until) == (71, "")


NIGHTS = [
    *RECIPES,
    WORKFLOWS / "slurm" / "nightly.sbatch",
    WORKFLOWS / "kubernetes" / "nightly.yaml",
    WORKFLOWS / "systemd" / "crackpipe-nightly.service",
]


@pytest.mark.parametrize("recipe", NIGHTS, ids=lambda recipe: recipe.parent.name)
def test_what_may_start_a_night_too_late_says_from_when_it_may_work(recipe: Path) -> None:
    assert "--from" in recipe.read_text(encoding="utf-8")


def test_a_slurm_job_that_comes_back_by_day_is_no_success(tmp_path: Path) -> None:
    assert slurm(tmp_path, 77, begin="01:00", until="06:00") == (77, "")


@pytest.mark.parametrize(("code", "told"), [(0, None), (3, None), (69, 69)])
def test_the_script_for_dask_jobqueue_takes_images_in_quarantine_for_done(
    code: int, told: int | None, tmp_path: Path
) -> None:
    page = (ROOT / "docs/use/scaling.md").read_text(encoding="utf-8")
    found = re.search(r"### Slurm \(dask-jobqueue\)\n\n((?: {4}.*\n|\n)+)", page)
    assert found is not None
    for module in ("dask_jobqueue", "distributed"):
        (tmp_path / f"{module}.py").write_text(
            "from unittest.mock import MagicMock\nSLURMCluster = Client = MagicMock()\n"
            "SLURMCluster.return_value.scheduler_address = 'tcp://10.0.0.1:8786'\n"
        )
    (tmp_path / "crackpipe").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "crackpipe").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(tmp_path)}
    script = [sys.executable, "-c", textwrap.dedent(found[1])]
    result = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode or None, result.stderr) == (told, "")


# ---- Kubernetes, container


def test_the_cronjob_forbids_a_second_night_and_root() -> None:
    spec = kubernetes()["CronJob"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert job["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"] == [69, 71, 74, 137, 143]
    pod = job["template"]["spec"]
    assert (pod["restartPolicy"], pod["securityContext"]["runAsNonRoot"]) == ("Never", True)
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert kubernetes()["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_compose_gives_no_network_and_no_rights() -> None:
    services = yaml.safe_load((WORKFLOWS / "container" / "compose.yaml").read_text())["services"]
    night = services["night"]
    assert (night["network_mode"], night["read_only"], night["cap_drop"]) == ("none", True, ["ALL"])


def test_the_container_gets_what_it_copies_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    sources = {
        word
        for line in lines
        if line.startswith("COPY") and "--from" not in line
        for word in line.split()[1:-1]
        if not word.startswith("--")
    }
    assert [word for word in sources if word not in (".", "./") and not (ROOT / word).exists()] == []
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [word for word in sources if (ROOT / word).exists() and word not in (".", "./")]
    assert [
        word for word in copied if not any(word == each or word.startswith(f"{each}/") for each in kept)
    ] == []
    assert lines.index("USER 10001:10001") < next(i for i, line in enumerate(lines) if "ENTRYPOINT" in line)


@pytest.mark.skipif(not (LINT / "hadolint").exists(), reason="needs hadolint: make schedulers-check")
def test_hadolint_finds_nothing() -> None:
    result = subprocess.run(
        [LINT / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.skipif(
    not (LINT / "hadolint").exists(), reason="needs kubernetes-validate: make schedulers-check"
)
@pytest.mark.parametrize(
    ("old", "new", "fits"), [("", "", True), ("concurrencyPolicy:", "concurency:", False)]
)
def test_the_schema_of_kubernetes(old: str, new: str, fits: bool, tmp_path: Path) -> None:
    file = tmp_path / "nightly.yaml"
    file.write_text((WORKFLOWS / "kubernetes" / "nightly.yaml").read_text().replace(old, new))
    command = [LINT / "kubernetes-validate", "--strict", file]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode == 0) is fits, result.stdout + result.stderr


# ---- orchestrators


def constants(recipe: Path) -> dict[str, object]:
    """What a recipe makes of exit codes, without importing its orchestrator."""
    for node in ast.parse(recipe.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = [name.id for name in node.targets[0].elts if isinstance(name, ast.Name)]
            if names[0] == "SUCCESS":
                return dict(zip(names, ast.literal_eval(node.value), strict=True))
    raise AssertionError(f"{recipe} has no SUCCESS")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.parent.name)
def test_a_recipe_compiles_and_means_the_same_by_exit_codes_as_the_others(recipe: Path) -> None:
    compile(recipe.read_text(encoding="utf-8"), str(recipe), "exec")
    meant = constants(recipe)
    assert meant == {"SUCCESS": 0, "WARNING": 3, "SKIP": 75, "RETRY": (69, 71, 74, 130, 143)}
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    known = {kind.exit_code for kind in kinds if issubclass(kind, errors.CrackpipeError)}
    assert {3, 75, 69, 71, 74} <= known


def test_operations_says_what_to_do_for_each_exit_code() -> None:
    page = (ROOT / "docs/use/operations.md").read_text(encoding="utf-8")
    told = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE) for code in row.split(",")
    }
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    known = {kind.exit_code for kind in kinds if issubclass(kind, errors.CrackpipeError)}
    assert known | {0, 130, 141, 143} <= told
