"""Montages: the layout as data, the pixels of the file, and every fault of its path."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageFont
import pytest
from places import SAMPLES

from cnnfilter.batch.paths import Result, find_sources, plan_jobs
from cnnfilter.batch.process import process
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.core.kernels import kernel
from cnnfilter.images import lettering
from cnnfilter.images.heatmap import diverging, heatmap
from cnnfilter.images.montage import HEIGHT, MOST_GROUPS, Exhibit, Group, Key, Panel, Sheet, drawn, joined, layout
from cnnfilter.images.tiles import PAPER, columns_for, resized, shown, size_in_area, size_in_box, tiled
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.syntax import load_pipeline, parse_pipeline

if TYPE_CHECKING:
    from conftest import Invoke

    from cnnfilter.model.layer import Layer

NOISE = np.random.default_rng(6)
BLUE, WHITE, RED = [5, 113, 176], [247, 247, 247], [202, 0, 32]
KEY = Key("what the colours mean, in a sentence that may be rather long", "diverging", ("-max", "0", "max"))


def picture(folder: Path, name: str, *shape: int) -> str:
    path = folder / name
    PIL.Image.fromarray(NOISE.integers(0, 256, shape).astype(np.uint8)).save(path)
    return str(path)


def opened(path: str | Path) -> np.ndarray[Any, Any]:
    with PIL.Image.open(path) as image:
        return np.asarray(image)


def exhibits_of(path: str, *steps: Step, height: int = 1450) -> list[Exhibit]:
    """What the images at `path` show, gathered as a run does it."""
    settings = Settings(dry_run=False)
    (source,) = find_sources([path])
    results: list[Result] = [result for step in steps for result in step.results]
    (job,) = plan_jobs([source], results, str(Path(path).parent / "out") + "/", None)
    records = process(job._replace(height=height), list(steps), settings)
    assert [record.error for record in records] == [None] * len(records)
    return [record.exhibit for record in records if record.exhibit is not None]


def convolve_step(text: str, **options: Any) -> Step:
    parsed = kernel(text)
    return Step("convolve", parsed.label, Pipeline((Convolve(parsed, **options),)))


def pool_step(*options: Any) -> Step:
    layer: Layer = Pool(*options)
    return Step("pool", "pooled", Pipeline((layer,), name="pool"))


def check_layout(sheet: Sheet) -> None:
    """No two places overlap, all lie on the sheet, and every text fits into its place."""
    boxes = np.array([(p.top, p.left, p.top + p.height, p.left + p.width) for p in sheet.places])
    assert boxes[:, :2].min() >= 0
    assert boxes[:, 2].max() <= sheet.height
    assert boxes[:, 3].max() <= sheet.width
    for index, (top, left, bottom, right) in enumerate(boxes):
        others = boxes[index + 1 :]
        apart = (others[:, 2] <= top) | (others[:, 0] >= bottom) | (others[:, 3] <= left) | (others[:, 1] >= right)
        assert apart.all(), (sheet.places[index].text, boxes[index])
    for place in sheet.places:
        if place.pixels is None:
            assert lettering.text_width(place.text, place.size) <= place.width
        else:
            assert place.pixels.shape == (place.height, place.width, 3)


# ------------------------------------------------------------------------------------------------------------ layout


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 64])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (540, 540), (4, 1600), (1600, 4), (180, 270)])
def test_no_panel_overlaps_another_or_is_cut(count: int, size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), np.uint8)
    heat = Panel("kernel with quite a long name", "3x3", np.zeros((60, 90, 3), np.uint8), (KEY,))
    groups: list[Group] = [(Panel("input", "1x1", pixels),)]
    groups += [(heat, Panel("a title that is longer than its picture " * 3, "note", pixels)) for _ in range(count)]
    check_layout(layout([Exhibit("a", "heading " * 50, tuple(groups)), Exhibit("b", "second", tuple(groups))]))


def test_uniform_groups_stand_in_columns() -> None:
    panel = Panel("map", "", np.zeros((100, 300, 3), np.uint8))
    sheet = layout([Exhibit("a", "bank", ((panel,),) * 16)])
    lefts = {place.left for place in sheet.places if place.pixels is not None}
    assert len(lefts) == 4


def test_a_montage_is_bounded_by_leaving_out_rows() -> None:
    panel = Panel("x", "", np.zeros((1000, 300, 3), np.uint8), (KEY,))
    sheet = layout([Exhibit(f"{n}.png", f"row {n}", ((panel,),)) for n in range(40)])
    assert sheet.rows == 10
    assert sheet.height <= HEIGHT
    check_layout(sheet)


def test_exhibits_of_one_input_are_joined() -> None:
    group = (Panel("x", "", np.zeros((4, 4, 3), np.uint8)),)
    counts = [("a", 2), ("a", 3), ("b", 1), ("c", MOST_GROUPS), ("c", 9)]
    rows = joined([Exhibit(source, source * 2, (group,) * count) for source, count in counts])
    assert [(row.heading, len(row.groups)) for row in rows] == [("aa", 4), ("bb", 1), ("cc", 1 + MOST_GROUPS)]


def test_what_is_drawn_is_what_was_laid_out() -> None:
    pixels = NOISE.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    sheet = layout([Exhibit("a", "heading", ((Panel("title", "note", pixels),),))])
    whole = drawn(sheet)
    (place,) = [place for place in sheet.places if place.pixels is not None]
    assert (whole[place.top : place.top + 30, place.left : place.left + 40] == pixels).all()
    assert (whole[:10] == PAPER).all()
    assert (whole[10 : place.top] != PAPER).any()  # letters


# ----------------------------------------------------------------------------------------------- heat maps and tiles


def test_the_colours_of_a_heat_map_are_centred_on_zero() -> None:
    cells = heatmap(np.array([[-4, 0], [2, 4]]), 4.0, 40, [["-4", "0"], ["2", "4"]], 12)
    corners = [cells[y * 40 + 3, x * 40 + 3].tolist() for y in (0, 1) for x in (0, 1)]
    assert corners == [BLUE, WHITE, [244, 165, 130], RED]
    assert (cells[5:35, 45:75] < 60).any()  # the number in the cell of zero is black
    assert (cells[45:75, 45:75, 1] > 240).any()  # white on red


def test_a_heat_map_of_zeros_is_white() -> None:
    assert diverging(np.zeros((1, 2)), 0.0).tolist() == [[WHITE, WHITE]]


def test_numbers_are_left_out_where_they_do_not_fit() -> None:
    plain = heatmap(np.array([[1]]), 1.0, 20)
    assert (plain[1:-1, 1:-1] == RED).all()


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (427, 640), (10, 4000), (4000, 10), (9000, 16000), (1, 100_000)])
def test_pictures_of_all_sizes_take_about_the_same_area(shape: tuple[int, int]) -> None:
    height, width = size_in_area(shape, 300 * 300)
    assert 1 <= height <= 900
    assert 1 <= width <= 900
    if max(shape) <= 8:
        assert height % shape[0] == 0
        assert height // shape[0] == width // shape[1]


def test_small_pictures_are_enlarged_with_hard_pixels_and_large_ones_averaged() -> None:
    small = NOISE.integers(0, 256, (5, 5)).astype(np.uint8)
    assert (resized(small, (240, 240)) == small.repeat(48, 0).repeat(48, 1)).all()
    large = NOISE.integers(0, 256, (100, 60, 3)).astype(np.uint8)
    means = large.reshape(10, 10, 6, 10, 3).mean(axis=(1, 3))
    assert np.abs(resized(large, (10, 6)) - means).max() <= 1
    assert size_in_box((3, 3), (384, 384)) == (384, 384)


def test_samples_are_shown_as_they_are_and_other_numbers_by_their_range() -> None:
    deep = shown(np.array([[0, 257, 65535]], np.uint16), (1, 3))
    assert deep.pixels[0, :, 0].tolist() == [0, 1, 255]
    assert shown(np.array([[False, True]]), (1, 2)).pixels[0, :, 2].tolist() == [0, 255]
    signed = shown(np.array([[-2, 0, 1]], np.int32), (1, 3))
    assert (signed.meaning, signed.low, signed.high) == ("signed", -2, 1)
    assert signed.pixels[0, :2].tolist() == [BLUE, WHITE]
    unsigned = shown(np.array([[0.0, 0.25, 0.5]], np.float32), (1, 3))
    assert unsigned.meaning == "from-zero"
    assert unsigned.pixels[0, :, 0].tolist() == [0, 128, 255]


def test_values_that_are_not_finite_do_not_hide_the_others() -> None:
    values = np.array([[np.nan, -np.inf, np.inf, -1.0, 2.0]], np.float32)
    found = shown(values, (1, 5))
    assert (found.low, found.high) == (-1, 2)
    assert found.pixels[0, 2].tolist() == RED


def test_transparency_shows_light_gray() -> None:
    found = shown(np.zeros((1, 2), np.uint8), (1, 2), np.array([[255, 0]], np.uint8))
    assert found.pixels[0, :, 0].tolist() == [0, 205]


@pytest.mark.parametrize("count", [1, 3, 8, 16, 64])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (100, 300), (2000, 5)])
def test_tiles_fill_their_box_without_overlap(count: int, shape: tuple[int, int]) -> None:
    columns, size = columns_for(count, shape, (400, 500))
    pictures = [np.full((*size, 3), index, np.uint8) for index in range(count)]
    sheet = tiled(pictures, columns, [str(index) for index in range(count)])
    assert sheet.shape[0] <= 600
    assert sheet.shape[1] <= 600
    assert (sheet[-size[0] :, : size[1]] == columns * ((count - 1) // columns)).all()


# ------------------------------------------------------------------------------------------------------------ letters


def test_long_texts_are_cut_in_the_middle() -> None:
    short = lettering.fitted("features.0.very.long.name.of.a.layer", 120, 15)
    assert short.startswith("features.")
    assert "..." in short
    assert short.endswith("er")
    assert lettering.text_width(short, 15) <= 120
    assert lettering.fitted("name", 1, 15) == ""


def test_names_of_all_kinds_can_be_drawn() -> None:
    name = "\x1b[31m\n\udcff\u0661\U0001f600 \xfc\xdf \u65e5\u672c \u202e" + "".join(map(chr, range(256)))
    assert lettering.drawable(name).isascii()
    place = np.full((30, 4000, 3), 255, np.uint8)
    lettering.write(place, 0, 0, name, 15)
    assert (place < 100).any()


def test_without_freetype_the_other_letters_serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_freetype(size: float | None = None) -> Any:
        if size is not None:
            raise ImportError("The _imagingft C module is not installed")
        return PIL.ImageFont.load_default_imagefont()

    monkeypatch.setattr(PIL.ImageFont, "load_default", no_freetype)
    lettering.font.cache_clear()
    try:
        path = picture(tmp_path, "caf\xe9 \u65e5.png", 8, 8)
        sheet = layout(exhibits_of(path, convolve_step("random:3:4")))
        check_layout(sheet)
        assert drawn(sheet).min() < 30
    finally:
        lettering.font.cache_clear()


# ------------------------------------------------------------------------------------------------- what is gathered


def test_an_input_a_kernel_and_an_output(folder: Path) -> None:
    path = picture(folder, "a.png", 8, 8)
    (exhibit,) = exhibits_of(path, convolve_step("sobel-v", padding="valid", stride=2))
    assert exhibit.heading == "a.png: convolve sobel-v, stride 2, padding valid (reflect)"
    (first,), (heat, out) = exhibit.groups
    assert (first.title, heat.title, out.title) == ("input", "kernel sobel-v", "output")
    assert (first.note, heat.note, out.note) == ("8x8, drawn x48", "3x3", "abs 3x3, drawn x128")
    assert (first.pixels == opened(path).repeat(48, 0).repeat(48, 1)[:, :, None]).all()
    assert (out.pixels == opened(folder / "out/a.png").repeat(128, 0).repeat(128, 1)[:, :, None]).all()
    cell = (heat.pixels.shape[0] - 1) // 3
    assert [heat.pixels[cell + 3, x * cell + 3].tolist() for x in range(3)] == [BLUE, WHITE, RED]
    assert [key.marks for key in (*heat.keys, *out.keys)] == [("-2", "0", "2"), ("0", "255")]


def test_a_pooled_picture_is_as_large_as_its_input(folder: Path) -> None:
    path = picture(folder, "a.png", 80, 120, 3)
    (exhibit,) = exhibits_of(path, pool_step("max", 4))
    (first,), (out,) = exhibit.groups
    assert exhibit.heading == "a.png: pool max 4x4, stride 4"
    assert out.title == "max 4x4"
    assert first.pixels.shape == out.pixels.shape
    zoom = out.pixels.shape[0] // 20
    assert (out.pixels[::zoom, ::zoom] == opened(folder / "out/a.png")).all()


def test_every_kernel_stands_beside_its_output(folder: Path) -> None:
    path = picture(folder, "a.png", 20, 30)
    rows = joined(exhibits_of(path, convolve_step("blur"), convolve_step("sobel"), convolve_step("1/2 -1/3")))
    ((first,), *pairs) = rows[0].groups
    assert first.title == "input"
    assert [(heat.note, out.title) for heat, out in pairs] == [
        ("3x3, over 9", "blur"),
        ("3x3", "sobel"),
        ("1x2", "1/2 -1/3"),
    ]
    assert pairs[1][0].pixels.shape[0] > 2 * 3 * 20  # a gradient has two kernels
    assert len({heat.pixels.shape[1] for heat, _ in pairs}) == 1  # so that the outputs stand below each other


@pytest.mark.parametrize(("count", "shown_filters"), [(1, 1), (16, 16), (64, 64), (70, 64)])
def test_a_bank_shows_the_slices_of_each_filter_beside_its_map(folder: Path, count: int, shown_filters: int) -> None:
    path = picture(folder, "a.png", 12, 16, 3)
    step = convolve_step(f"random:3:{count}")
    (exhibit,) = exhibits_of(path, step)
    (_, *groups) = exhibit.groups
    assert len(groups) == shown_filters
    assert [group[0].title for group in groups] == [f"filter {index}" for index in range(shown_filters)]
    assert {group[0].note for group in groups} == {"R, G, B"}
    assert ("64 of 70 filters" in exhibit.heading) == (count == 70)
    check_layout(layout([exhibit]))
    result = step.pipeline.run(opened(path))
    index = shown_filters - 1
    last = result[:, :, index]
    levels = np.floor((last - last.min()) * (255 / (last.max() - last.min())) + 0.5)
    tile = groups[index][1].pixels
    zoom = tile.shape[0] // 12
    assert np.abs(tile[::zoom, ::zoom, 0].astype(float) - levels).max() <= 1


def test_a_pipeline_shows_its_layers_and_classes() -> None:
    parsed = load_pipeline(str(SAMPLES / "digits.toml"))
    (exhibit,) = exhibits_of(str(SAMPLES / "digit-3.png"), Step("pipeline", "digits", parsed))
    titles = [group[-1].title for group in exhibit.groups]
    layers = ["gray", "resize", "scale", "conv1", "bn1", "relu1", "pool1", "conv2", "bn2", "relu2", "pool2"]
    assert titles == ["input", *layers, "softmax"]
    notes = {group[-1].title: group[-1].note for group in exhibit.groups}
    assert notes["conv1"] == "conv2d 32x32x8"
    assert notes["pool2"] == "8x8x24, 8 of 24 maps"
    assert notes["softmax"] == "10 classes"
    check_layout(layout([exhibit]))


def test_taps_choose_the_layers(folder: Path) -> None:
    path = picture(folder, "a.png", 30, 40, 3)
    pipeline = parse_pipeline("gray | convolve sobel-v name=edges | relu | pool max", init="normal")
    (exhibit,) = exhibits_of(path, Step("pipeline", "pipeline", pipeline, ("edges",)))
    assert [[panel.title for panel in group] for group in exhibit.groups] == [
        ["input"],
        ["kernel sobel-v", "edges"],
        ["pool"],
    ]


def test_many_layers_are_thinned_out(folder: Path) -> None:
    path = picture(folder, "a.png", 9, 9)
    pipeline = parse_pipeline(" | ".join(["relu"] * 100))
    (exhibit,) = exhibits_of(path, Step("pipeline", "pipeline", pipeline))
    titles = [group[-1].title for group in exhibit.groups]
    assert len(titles) == 26
    assert (titles[0], titles[1], titles[-1]) == ("input", "relu", "relu-100")
    assert exhibit.heading == "a.png: pipeline, 100 layers, 25 of them shown"


def test_many_kernels_are_cut_off_and_the_heading_says_so(folder: Path) -> None:
    path = picture(folder, "a.png", 400, 10)
    rows = joined(exhibits_of(path, *(convolve_step(f"motion:5:{degrees}") for degrees in range(130))))
    assert rows[0].heading.endswith(", the first 100 of 130 shown")
    assert len(rows[0].groups) == 101
    sheet = layout(rows)
    check_layout(sheet)
    assert sheet.height < HEIGHT


def test_signed_responses_keep_their_sign(folder: Path) -> None:
    np.save(folder / "a.npy", np.tile(np.arange(9, dtype=np.float32) ** 2, (9, 1)))
    (exhibit,) = exhibits_of(str(folder / "a.npy"), convolve_step("1 0 -1"))
    out = exhibit.groups[1][1]
    assert "-28 .. 0" in out.note
    assert out.keys[0].ramp == "diverging"
    middle = out.pixels.shape[0] // 2
    assert (out.pixels[middle, -1].tolist(), out.pixels[middle, 0].tolist()) == (WHITE, WHITE)
    assert BLUE in out.pixels[middle].tolist()


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (10, 4000), (4000, 10), (1200, 1600), (3, 2, 5)])
def test_pictures_of_all_shapes_fit(folder: Path, shape: tuple[int, ...]) -> None:
    np.save(folder / "a.npy", NOISE.integers(0, 256, shape).astype(np.uint8))
    for step in (convolve_step("gaussian:9:2"), convolve_step("random:2:5"), pool_step("avg", "all")):
        sheet = layout(exhibits_of(str(folder / "a.npy"), step))
        check_layout(sheet)
        assert sheet.width <= 2000
        assert sheet.height <= 2700


def test_what_is_gathered_is_small(folder: Path) -> None:
    PIL.Image.new("RGB", (5000, 4000), (1, 2, 3)).save(folder / "a.png")
    (exhibit,) = exhibits_of(str(folder / "a.png"), convolve_step("blur"))
    assert sum(panel.pixels.nbytes for group in exhibit.groups for panel in group) < 3_000_000


# ---------------------------------------------------------------------------------------------------------- the option


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_bytes_are_those_of_one_worker(folder: Path, invoke: Invoke, jobs: str) -> None:
    names = [picture(folder, f"{n}.png", 40 + n, 60, 3) for n in range(5)]
    assert invoke("convolve", *names, "-k", "random:3:3", "-k", "sobel", "-o", "out/", "-j", jobs, "-q").code == 0
    done = invoke("convolve", *names, "-k", "sobel", "-o", "o/", "-j", jobs, "--montage", "m.png", "-q")
    assert (done.code, done.err) == (0, b"")
    alone = invoke("convolve", *names, "-k", "sobel", "-o", "o/", "-j", "1", "--montage", "n.png", "-q")
    assert alone.code == 0
    assert (folder / "m.png").read_bytes() == (folder / "n.png").read_bytes()


def test_the_report_is_the_same_with_a_montage(folder: Path, invoke: Invoke) -> None:
    path = picture(folder, "a.png", 8, 8)
    plain = invoke("pool", path, "-o", "x.png", "--report", "csv")
    shown_too = invoke("pool", path, "-o", "x.png", "--report", "csv", "--montage", "m.png")
    assert shown_too.err == b""
    strip = [line.split(b",")[:-4] for line in plain.out.splitlines()]
    assert [line.split(b",")[:-4] for line in shown_too.out.splitlines()] == strip


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tiff", "bmp", "npy"])
def test_the_suffix_names_the_format(folder: Path, invoke: Invoke, suffix: str) -> None:
    path = picture(folder, "a.png", 8, 8)
    assert invoke("pool", path, "-o", "x.png", "-q", "--montage", f"m.{suffix}").code == 0
    found = np.load(folder / "m.npy") if suffix == "npy" else opened(folder / f"m.{suffix}")
    assert found.shape == (499, 836, 3)


def test_only_the_first_inputs_are_shown_and_that_is_told(folder: Path, invoke: Invoke) -> None:
    (folder / "in").mkdir()
    for number in range(15):
        picture(folder / "in", f"{number:02}.png", 8, 8)
    done = invoke("convolve", "in", "-k", "blur", "-o", "out/", "-j", "1", "--montage", "m.png", "--report", "none")
    assert done.err == b"cnnfilter: warning: m.png shows the first 12 of 15 inputs\n"
    assert opened(folder / "m.png").shape[0] < 4500
    again = invoke("convolve", "in", "-k", "blur", "-o", "out/", "-j", "1", "--montage", "n.png", "-q")
    assert (again.code, again.err) == (0, b"")


def test_bytes_on_standard_output_stay_the_same(folder: Path, invoke: Invoke) -> None:
    content = Path(picture(folder, "a.png", 8, 8)).read_bytes()
    plain = invoke("convolve", "-", "-k", "blur", "-o", "-", stdin=content)
    both = invoke("convolve", "-", "-k", "blur", "-o", "-", "--montage", "m.png", stdin=content)
    assert both.out == plain.out
    assert opened(folder / "m.png").ndim == 3


def test_no_clobber_leaves_a_montage_and_completes_a_missing_one(folder: Path, invoke: Invoke) -> None:
    path = picture(folder, "a.png", 8, 8)
    words = ["pool", path, "-o", "x.png", "-n", "-q", "--montage", "m.png"]
    assert invoke(*words).code == 0
    first = (folder / "m.png").read_bytes()
    (folder / "m.png").write_bytes(b"mine")
    assert invoke(*words).code == 0
    assert (folder / "m.png").read_bytes() == b"mine"
    (folder / "m.png").unlink()
    (folder / "x.png").write_bytes(b"theirs")
    done = invoke(*words[:-3], "--report", "json", "--montage", "m.png")
    assert b'"status": "skipped"' in done.out
    assert (folder / "x.png").read_bytes() == b"theirs"
    assert (folder / "m.png").read_bytes() == first


def test_a_dry_run_writes_none_but_finds_what_is_wrong(folder: Path, invoke: Invoke) -> None:
    path = picture(folder, "a.png", 8, 8)
    assert invoke("pool", path, "-o", "x.png", "--dry-run", "--montage", "m.png").code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["a.png"]
    assert invoke("pool", path, "-o", "x.png", "--dry-run", "--montage", path).code == 2


def test_an_image_that_fails_is_left_out(folder: Path, invoke: Invoke) -> None:
    good = picture(folder, "a.png", 8, 8)
    (folder / "b.png").write_bytes(b"no picture")
    done = invoke("pool", "b.png", good, "missing.png", "-o", "out/", "--montage", "m.png", "-q")
    assert done.code == 1
    assert opened(folder / "m.png").shape == (499, 836, 3)
    assert invoke("pool", "b.png", "-o", "x.png", "--montage", "n.png", "-q").code == 1
    assert not (folder / "n.png").exists()


def test_an_image_that_does_not_fit_is_told_of_as_without_a_montage(folder: Path, invoke: Invoke) -> None:
    (folder / "a").mkdir()
    picture(folder / "a", "narrow.png", 8, 1)
    picture(folder / "a", "wide.png", 8, 8)
    words = ["pipeline", "a", "--steps", "relu | pool size=2 | relu", "-o", "o/", "-q"]
    plain, done = invoke(*words), invoke(*words, "--montage", "m.png")
    assert (done.code, done.err) == (plain.code, plain.err)
    assert b"narrow.png" in done.err
    assert (folder / "m.png").exists()


@pytest.mark.parametrize(
    ("montage", "told"),
    [
        ("a.png", "a.png is also an input; choose another"),
        ("./link.png", "./link.png is also an input; choose another"),
        ("out/../x.png", "out/../x.png is also an output of this run; choose another"),
        ("report.txt", "the suffix .txt of 'report.txt' names no format that can be written"),
        ("m", "'m' has no suffix"),
        ("m.gif", "is only read"),
        ("-", "is written to a file, not to standard output"),
        ("nowhere/m.png", "there is no folder"),
        ("folder.png", "folder.png is a folder; name a file"),
        ("a.png/m.png", "is no folder"),
    ],
)
def test_a_wrong_montage_is_refused_before_anything_is_read(
    folder: Path, invoke: Invoke, montage: str, told: str
) -> None:
    path = picture(folder, "a.png", 8, 8)
    before = Path(path).read_bytes()
    (folder / "link.png").hardlink_to(path)
    (folder / "folder.png").mkdir()
    (folder / "out").mkdir()
    done = invoke("pool", "a.png", "-o", "x.png", "--montage", montage)
    assert (done.code, done.out, done.err.count(b"\n")) == (2, b"", 1)
    assert f"--montage: {told}" in done.err.decode() or (
        "--montage: " in done.err.decode() and told in done.err.decode()
    )
    assert Path(path).read_bytes() == before
    assert not (folder / "x.png").exists()


def test_a_montage_is_no_report(folder: Path, invoke: Invoke) -> None:
    path = picture(folder, "a.png", 8, 8)
    words = ["--report", "json", "--report-file", "m.png", "--montage", "m.png"]
    assert invoke("pool", path, "-o", "x.png", *words).code == 2


def test_a_montage_is_none_of_the_single_maps(folder: Path, invoke: Invoke) -> None:
    words = ["pipeline", picture(folder, "a.png", 8, 8), "--steps", "conv2d 3 size=1", "--init", "normal", "-q"]
    done = invoke(*words, "-o", "x.png", "--maps", "files", "--montage", "x.2.png")
    assert (done.code, done.err) == (
        2,
        b"cnnfilter: --montage: x.2.png is also an output of this run; choose another\n",
    )
    assert invoke(*words, "-o", "x.png", "--montage", "x.2.png").code == 0


def test_a_montage_beside_a_preview(folder: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = invoke("pool", picture(folder, "a.png", 8, 8), "-o", "x.png", "--preview", "--montage", "m.png")
    assert done.code == 0
    assert b"\x1b[" in done.out
    assert opened(folder / "m.png").shape == (499, 836, 3)


def test_a_montage_that_cannot_be_written_is_one_line(folder: Path, invoke: Invoke) -> None:
    path = picture(folder, "a.png", 8, 8)
    done = invoke("pool", path, "-o", "x.png", "-q", "--montage", f"{'m' * 300}.png")
    assert (done.code, done.err.count(b"\n")) == (1, 1)
    assert b"ame too long" in done.err
    assert sorted(p.name for p in folder.iterdir()) == ["a.png", "x.png"]


def test_the_maps_of_two_banks_are_told_apart(folder: Path) -> None:
    path = picture(folder, "a.png", 40, 60, 3)
    np.save("a-bank-with-a-name-that-is-longer-than-its-maps-are-wide.npy", NOISE.normal(size=(3, 3, 3, 2)))
    names = ["random:3:2", "random:5:3:7", "a-bank-with-a-name-that-is-longer-than-its-maps-are-wide.npy"]
    steps = [convolve_step(name) for name in names]
    (one,) = joined(exhibits_of(path, *steps, convolve_step("sobel-v")))
    titles = [group[1].title for group in one.groups if len(group) == 2]
    wanted = [f"{name} map {index}" for name, count in zip(names, (2, 3, 2), strict=True) for index in range(count)]
    assert titles == [*wanted, "sobel-v"]
    assert len({key.text for group in one.groups for key in group[0].keys if "filters of" in key.text}) == 3
    assert one.heading == "a.png: convolve with 4 kernels, stride 1, padding same (reflect)"
    check_layout(layout([one]))
    (banks,) = joined(exhibits_of(path, *steps))
    assert banks.heading == "a.png: convolve with 3 kernels, stride 1, padding same (reflect), channels summed"
    (single,) = joined(exhibits_of(path, steps[0]))
    assert [group[1].title for group in single.groups[1:]] == ["map 0", "map 1"]


@pytest.mark.parametrize("text", ["sobel", "blur", "gaussian:31:5", "random:5:8", "1", "1/3 2/3", "motion:40:20"])
def test_kernels_of_all_kinds_are_drawn(folder: Path, text: str) -> None:
    path = picture(folder, "a.png", 20, 30, 3)
    for channels, flip in itertools.product(("each", "sum"), (False, True)):
        check_layout(layout(exhibits_of(path, convolve_step(text, channels=channels, flip=flip))))
