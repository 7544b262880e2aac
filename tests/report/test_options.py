import json
import re
import shutil

import pytest

from keras_mixvit.report._options import KIND, Options, figures_beside

pytestmark = pytest.mark.one_backend


def refused(text, **options):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        Options(**options)


def test_runs_must_be_finished_folders(finished, tmp_path):
    output = tmp_path / "page.html"
    wanted = "`runs` must be the path of a run, or a list of paths. Received: runs="
    for runs in (None, 3, [], [3], {"a": 1}):
        refused(f"{wanted}{runs!r}", runs=runs, output=output)
    place = str(tmp_path / "missing")
    refused(
        f"`run` must be the folder of a run, which holds a recipe.toml. Received: "
        f"run={place!r}",
        runs=place,
        output=output,
    )
    begun = shutil.copytree(finished, tmp_path / "begun")
    (begun / "result.json").unlink()
    refused(
        "`runs` must be finished; `keras-mixvit resume RUN` finishes one. Received: "
        f"run={str(begun)!r}",
        runs=[str(finished), str(begun)],
        output=output,
    )
    (begun / "result.json").write_text("{}")
    (begun / "model.keras").unlink()
    refused("`run` must hold a model.keras. Received: ", runs=begun, output=output)
    again = tmp_path / "begun" / ".." / "begun"
    runs = [str(finished), f"{finished}/../{finished.name}"]
    text = f"`runs` must not hold one run twice. Received: runs={runs!r}"
    refused(text, runs=runs, output=output)
    assert again.exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"data": 3}, "`data` must be a string or an `os.PathLike`. Received: data=3"),
        (
            {"ood": "digits"},
            "`ood` must be a list of names or paths of sets. Received: ood='digits'",
        ),
        ({"ood": [3]}, "`ood` must be a list of names or paths of sets. Received: ood"),
        (
            {"examples": 0},
            "`examples` must be an integer from 1 to 100. Received: examples=0",
        ),
        ({"examples": 101}, "`examples` must be an integer from 1 to 100. Received: "),
        ({"examples": 2.0}, "`examples` must be an integer from 1 to 100. Received: "),
        (
            {"bootstrap": -1},
            "`bootstrap` must be an integer of at least 0. Received: bootstrap=-1",
        ),
        (
            {"batch_size": 0},
            "`batch_size` must be an integer of at least 1. Received: batch_size=0",
        ),
    ],
)
def test_options_out_of_range_are_refused(options, text, finished, tmp_path):
    refused(text, runs=finished, output=tmp_path / "page.html", **options)


def test_the_page_must_be_an_html_file_in_a_folder(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    for output in ("page", "page.json", "folder.html"):
        text = "`output` must be the path of an .html file. Received: output="
        refused(f"{text}{output!r}", runs=finished, output=output)
    refused(
        "`output` must be in a folder that exists. Received: output='no/page.html'",
        runs=finished,
        output="no/page.html",
    )
    refused(
        "`output` must be a string or an `os.PathLike`. Received: output=3",
        runs=finished,
        output=3,
    )


def test_files_of_a_run_and_of_others_are_not_replaced(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    text = (
        "`output` must have another name: report.json beside it would replace a file "
        "that belongs to something else. Received: output="
    )
    refused(text, runs=run, output=run / "report.html")
    refused(text, runs=run, output=run / "single" / "report.html")
    # It may begin to be written later.
    (run / "evaluation.json").unlink(missing_ok=True)
    name = text.replace("report.json", "evaluation.json")
    refused(name, runs=run, output=run / "evaluation.html")
    (tmp_path / "mine.json").write_text('{"kind": "mine"}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "damaged.json").write_text("{")
    for stem in ("mine", "list", "damaged"):
        name = text.replace("report.json", f"{stem}.json")
        refused(name, runs=run, output=tmp_path / f"{stem}.html")
    # That of an earlier report is.
    (tmp_path / "own.json").write_text(json.dumps({"kind": KIND}))
    assert Options(run, tmp_path / "own.html").figures == tmp_path / "own.json"
    assert Options(run, run / "page.html").page == run / "page.html"
    assert before == {path: path.read_bytes() for path in before}


def test_a_missing_package_is_named(finished, tmp_path, monkeypatch):
    found = "keras_mixvit.report._options.importlib.util.find_spec"
    monkeypatch.setattr(found, lambda name: None if name == "PIL" else name)
    text = r"^A report needs pillow: pip install 'keras_mixvit\[report\]'$"
    with pytest.raises(ModuleNotFoundError, match=text):
        Options(finished, tmp_path / "page.html")


def test_runs_are_called_by_their_folders_unless_these_repeat(finished, tmp_path):
    one = shutil.copytree(finished, tmp_path / "a" / "same")
    two = shutil.copytree(finished, tmp_path / "b" / "same")
    output = tmp_path / "page.html"
    assert Options([one, finished], output).labels() == ["same", "first"]
    assert Options([one, two], output).labels() == [str(one), str(two)]
    assert Options(one, output).labels() == ["same"]
    assert figures_beside("a/b.page.html").as_posix() == "a/b.page.json"
