"""pushforward report."""


def test_it_writes_a_page_and_names_it(run, gis, table, tmp_path):
    table[:120].to_csv(tmp_path / "train.csv", index=False)
    table[120:].to_csv(tmp_path / "test.csv", index=False)
    options = ["--data", tmp_path / "test.csv", "-m", "column_fidelity", "--quiet"]
    out = tmp_path / "new" / "page.html"
    done = run("report", gis, tmp_path / "train.csv", *options, "-o", out, "--no-date").ok()
    assert done.out.strip() == str(out)
    html = out.read_text(encoding="utf-8")
    assert "gis and train.csv judged on" in html
    assert "<dt>Date</dt>" not in html
    again = run("report", gis, tmp_path / "train.csv", *options, "-o", out, "--no-date").ok()
    assert again.code == 0
    assert out.read_text(encoding="utf-8") == html


def test_what_is_given_has_a_section(run, gis, table, tmp_path):
    table.to_csv(tmp_path / "test.csv", index=False)
    words = ["report", gis, "--data", tmp_path / "test.csv", "-m", "column_fidelity", "--quiet"]
    out = tmp_path / "page.html"
    run(*words, "--given", "age=1..", "-o", out).ok()
    assert "Given age at least 1" in out.read_text(encoding="utf-8")
    run(*words, "--given", "height=3", "-o", out).refused("height")


def test_mistakes_are_one_line(run, gis, tmp_path):
    run("report", gis, "--data", "iris", "-o", tmp_path / "page.pdf").refused(".html")
    run("report", gis, gis, "--data", "iris", "-o", tmp_path / "page.html").refused("named twice")
    run("report", gis, "--data", "nowhere.csv", "-o", tmp_path / "p.html").refused("nowhere")
