"""`enroll bench`: that it measures, and leaves nothing behind. What it measures is for tests/benchmarks."""

from pathlib import Path

from support.benching import bench


def test_a_quick_run_tells_the_ratio_and_what_it_is_of_and_leaves_nothing_behind(tmp_path: Path) -> None:
    told = bench(tmp_path, "--quick", "--only", "bulk_new")

    assert told["ratios"].keys() == {"bulk_new"}
    assert told["spread"]["bulk_new"]["rounds"] == 1
    ours, reference = (told["rates"]["bulk_new"][side] for side in ("ours", "reference"))
    assert told["ratios"]["bulk_new"] > 0
    assert min(ours, reference) > 0
    assert told["machine"]["fsync"] == "on"
    assert list(tmp_path.iterdir()) == []
