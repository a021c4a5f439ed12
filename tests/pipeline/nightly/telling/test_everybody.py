"""What the end of a night leaves, and which older nights go."""

from datetime import UTC, datetime
from pathlib import Path

from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.network import Network, Source
from crackpipe.pipeline.nightly.facts.outcome import Night
from crackpipe.pipeline.nightly.telling.everybody import tell


def test_the_oldest_nights_go_and_nothing_else(tmp_path: Path) -> None:
    stays = {
        "surveys/north/20200101T000000Z-cracks/cracks.parquet",
        "surveys/north/20200101T000000Z-cracks/report.html",
        "surveys/north/20200101T000000Z-cracks/logs/20200101T000000.000000.jsonl",
        "network/manifest.json",
        "network/.versions/1/latest_sections.parquet",
        "nights/of-the-audit/summary.md",
        "nights/20200101T000000Z.md",
        "memory.json",
    }
    for name in stays:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    network = Network(tmp_path, tmp_path, (Source("north", folder=tmp_path),), keep_nights=2)
    for day in range(1, 5):
        night = Night(datetime(2026, 3, day, 21, tzinfo=UTC).timestamp())
        tell(network, night, Memory(), night.began_s + 60)
    made = {"summary.json", "summary.md"}
    made |= {f"nights/2026030{day}T210000Z/{name}" for day in (3, 4) for name in list(made)}
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there == stays | made
    assert all((tmp_path / name).read_text() == name for name in stays)
    latest = (tmp_path / "nights/20260304T210000Z/summary.md").read_text()
    assert (tmp_path / "summary.md").read_text() == latest
