"""The page of a comparison: whole, escaped, and saying what its JSON says."""

from __future__ import annotations

from datetime import UTC, datetime

from fetalclip.bench.compare_table import PLANES_F1, Compared, Comparison
from fetalclip.metrics import Estimate
from fetalclip.report.compare import compare_page


def test_the_page_has_every_row_and_runs_nothing():
    good = Compared("<b>m</b>", "MIT", True, {PLANES_F1: Estimate(0.9123, 0.85, 0.95, 1234, 56)}, ("a note",))
    bad = Compared("broken", error="no such file <x>")
    told = Comparison((good, bad), {"version": "0", "data": [{"name": "d"}]}, ("quick look",)).to_dict()
    page = "".join(compare_page(told, datetime(2026, 5, 31, 12, tzinfo=UTC)))
    assert page.startswith("<!")
    assert page.rstrip().endswith("</html>")
    assert "<b>m</b>" not in page
    assert "&lt;b&gt;m&lt;/b&gt;" in page
    assert "0.912 <small>0.850 to 0.950</small>" in page
    assert "1,234" in page
    assert "no such file &lt;x&gt;" in page
    assert "SonoNet" in page
    assert "0.870" not in page  # 0.871 of FetalCLIP
    assert "0.871" in page
    assert "<script" not in page
    assert page.count("<tr") == page.count("</tr>") == 2 + 2 + 5
