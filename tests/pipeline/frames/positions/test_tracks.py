"""GPX and NMEA: positions by time, broken lines named, attacks refused."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.positions.gpx import read_gpx
from crackpipe.pipeline.frames.positions.nmea import read_nmea

BEGIN = datetime(2025, 5, 20, 10, 0, 0, tzinfo=UTC).timestamp()
POINT = '<trkpt lat="53.571" lon="9.94"><ele>3</ele><time>2025-05-20T10:00:{}Z</time></trkpt>'
SPACE = ' xmlns="http://www.topografix.com/GPX/1/1"'
GPX = '<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{}</trkseg></trk></gpx>'


def gpx(folder: Path, text: str) -> Path:
    (folder / "a.gpx").write_text(text)
    return folder / "a.gpx"


@pytest.mark.parametrize("space", [SPACE, SPACE.replace("1/1", "1/0"), ""])
def test_a_gpx_of_any_version_is_read(tmp_path: Path, space: str) -> None:
    text = GPX.format(POINT.format("00") + POINT.format("01.250")).replace(SPACE, space)
    found = read_gpx(gpx(tmp_path, text))
    assert found.xy.tolist() == [[9.94, 53.571]] * 2
    assert found.time_s.tolist() == [BEGIN, BEGIN + 1.25]


def test_points_without_a_time_are_faults(tmp_path: Path) -> None:
    text = GPX.format(POINT.format("00") + '<trkpt lat="1" lon="2"/>' + POINT.format("02"))
    found = read_gpx(gpx(tmp_path, text))
    assert found.lines == [1, 3]
    assert [fault.line for fault in found.faults] == [2]


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><gpx>&c;</gpx>'
SECRET = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><gpx>&b;</gpx>'


@pytest.mark.parametrize("text", [BOMB, SECRET])
def test_bombs_and_files_of_others_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"a\.gpx defines entities") as refused:
        read_gpx(gpx(tmp_path, text))
    assert "root:" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<gpx><trk>", "broken XML: .* line 1"),
        ("", "broken XML"),
        (GPX.format(""), "no track point with a time"),
    ],
)
def test_an_empty_or_broken_track_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_gpx(gpx(tmp_path, text))


# ---- NMEA


def sentence(body: str) -> str:
    total = 0
    for letter in body.encode():
        total ^= letter
    return f"${body}*{total:02X}\r\n"


PLACE = "5334.26000,N,00956.40000,E"
RMC = f"GPRMC,100000.00,A,{PLACE},10,63,200525,,"


def nmea(folder: Path, *lines: str) -> Path:
    (folder / "a.nmea").write_text("".join(lines))
    return folder / "a.nmea"


def test_rmc_and_gga_of_one_second_are_one_position(tmp_path: Path) -> None:
    gga = f"GPGGA,100000.00,{PLACE},1,8,1,3,M,,M,,"
    later = f"GNGGA,100000.50,{PLACE},1,8,1,3,M,,M,,"
    found = read_nmea(
        nmea(tmp_path, sentence(RMC), sentence(gga), sentence(later), "noise\n", sentence("GPVTG,1"))
    )
    assert np.allclose(found.xy, [[9.94, 53.571]] * 2)
    assert found.time_s.tolist() == [BEGIN, BEGIN + 0.5]
    assert not found.faults


def test_gga_alone_goes_over_midnight(tmp_path: Path) -> None:
    rmc = f"GPRMC,235959.00,A,{PLACE},10,63,200525,,"
    gga = f"GPGGA,000001.00,{PLACE},1,8,1,3,M,,M,,"
    found = read_nmea(nmea(tmp_path, sentence(rmc), sentence(gga)))
    assert np.diff(found.time_s).tolist() == [2.0]


def test_a_wrong_checksum_and_no_fix_are_no_position(tmp_path: Path) -> None:
    broken = sentence(RMC.replace("100000", "100001")).replace("5334", "5335")
    void = sentence("GPRMC,100002.00,V,,,,,,,200525,,")
    nofix = sentence(f"GPGGA,100003.00,{PLACE},0,0,,,M,,M,,")
    found = read_nmea(nmea(tmp_path, sentence(RMC), broken, void, nofix))
    assert found.time_s.tolist() == [BEGIN]
    assert [fault.line for fault in found.faults] == [2]


def test_gga_without_a_date_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="RMC sentences have one"):
        read_nmea(nmea(tmp_path, sentence(f"GPGGA,100000.00,{PLACE},1,8,1,3,M,,M,,")))
