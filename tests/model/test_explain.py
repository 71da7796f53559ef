"""What is said of kernels, spectra, samples and pipelines, with values worked out by hand."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import cnnfilter
from cnnfilter.core.analysis import facts, separable_parts, strongest_of
from cnnfilter.core.catalogue import GRADIENTS, NAMED
from cnnfilter.core.character import character
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.kernels import kernel
from cnnfilter.core.spectrum import gains, plane, spectrum
from cnnfilter.core.statistics import channel_statistics
from cnnfilter.model import listing
from cnnfilter.model.banks import explain_bank, tensors_as_dict
from cnnfilter.model.explain import explain_kernel
from cnnfilter.model.filters import Convolve
from cnnfilter.model.layers import LAYERS
from cnnfilter.model.learned import Conv2d
from cnnfilter.model.overview import explain_pipeline
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.weights import load


def rows_of(text: str) -> list[list[Fraction]]:
    """The matrix that the parts of a kernel add up to."""
    parts = separable_parts(kernel(text).matrix)
    height, width = kernel(text).size
    total = [[Fraction(0)] * width for _ in range(height)]
    for part in parts:
        for y, c in enumerate(part.column):
            for x, r in enumerate(part.row):
                total[y][x] += Fraction(c) * Fraction(r)
    return total


class TestFacts:
    def test_of_sobel(self) -> None:
        found = facts(kernel("sobel-v").matrix)
        assert (found.sum, found.l1, found.low, found.high, found.zeros, found.rank) == (0, 8, -2, 2, 3, 1)
        assert found.l2 == math.sqrt(12)
        (part,) = found.parts
        assert (part.column, part.row) == ((1, 2, 1), (-1, 0, 1))
        assert found.symmetry == ("left-right negated", "up-down", "half turn negated")

    def test_sums_over_a_divisor_are_exact(self) -> None:
        found = facts(kernel("blur").matrix, kernel("blur").divisor)
        assert (found.sum, found.low) == (1, Fraction(1, 9))
        assert found.l2 == pytest.approx(1 / 3)

    @pytest.mark.parametrize(
        ("text", "rank"),
        [("identity", 1), ("laplacian", 2), ("emboss", 3), ("sobel-45", 2), ("gaussian:7", 1), ("log:9:1.4", 3)],
    )
    def test_rank(self, text: str, rank: int) -> None:
        matrix = kernel(text).matrix
        assert facts(matrix).rank == rank == np.linalg.matrix_rank(matrix)

    @pytest.mark.parametrize("text", [*NAMED, "1 2 3; 4 5 6; 7 8 10", "0 0; 0 0", "0 0 1/3; 1/2 0 0"])
    def test_parts_of_whole_numbers_add_up_exactly(self, text: str) -> None:
        assert rows_of(text) == kernel(text).matrix.tolist()

    @given(st.lists(st.lists(st.integers(-5, 5), min_size=4, max_size=4), min_size=1, max_size=5))
    def test_there_are_as_many_parts_as_the_rank(self, rows: list[list[int]]) -> None:
        matrix = np.array(rows, np.int64)
        assert len(separable_parts(matrix)) == np.linalg.matrix_rank(matrix)

    def test_parts_of_floats(self) -> None:
        (part,) = facts(kernel("gaussian:5:1").matrix).parts
        assert sum(part.row) == pytest.approx(1)
        assert np.outer(np.array(part.column, float), np.array(part.row, float)) == pytest.approx(
            kernel("gaussian:5:1").matrix
        )

    def test_energy_is_the_share_of_the_best_product(self) -> None:
        assert facts(kernel("sobel-45").matrix).energy == pytest.approx(0.5)

    def test_strongest_of_a_large_matrix(self) -> None:
        matrix = np.zeros((5, 5))
        matrix[4, 4], matrix[0, 1] = -2, 1
        cells, step = strongest_of(matrix, 3, 3)
        assert (step, cells.tolist()) == (2, [[1, 0, 0], [0, 0, 0], [0, 0, -2]])


class TestCharacter:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("identity", "identity"),
            ("0 2 0", "scaling"),
            ("0 0 1", "shift"),
            ("0 0; 0 0", "nothing"),
            ("blur", "smoothing (low-pass)"),
            ("gaussian", "smoothing (low-pass)"),
            ("box:4", "smoothing (low-pass)"),
            ("motion:15:30", "smoothing along a line (motion blur)"),
            ("sharpen", "sharpening (picture + detail)"),
            ("sharpen-strong", "sharpening (picture + detail)"),
            ("emboss", "emboss (picture + first derivative)"),
            ("sobel-135", "edge detection (first derivative)"),
            ("-1 1", "edge detection (first derivative)"),
            ("1 0; 0 -1", "edge detection (first derivative)"),
            ("laplacian", "edge detection (second derivative)"),
            ("laplacian-8", "edge detection (second derivative)"),
            ("log:9:1.4", "band-pass (Laplacian of Gaussian)"),
            ("gabor:15:6:45", "oriented band-pass (stripes)"),
            ("-1 2 -1", "line detection (second derivative)"),
            ("-1 -1 -1; 2 2 2; -1 -1 -1", "line detection (second derivative)"),
            ("1 0 -1; 0 0 0; -1 0 1", "saddle (mixed second derivative)"),
            ("1 -2 1; -2 4 -2; 1 -2 1", "high-pass (texture)"),
            ("-1 9 25 9 -1", "smoothing (low-pass)"),
        ],
    )
    def test_kind(self, text: str, kind: str) -> None:
        found = kernel(text)
        assert character(found.matrix, found.divisor).kind == kind

    def test_random_filters_are_of_no_kind(self) -> None:
        bank = kernel("random:3:64").spanning(3).matrix
        kinds = [character(bank[:, :, 0, index]).kind for index in range(64)]
        assert kinds.count("mixed") >= 62

    @pytest.mark.parametrize(
        ("text", "degrees"),
        [
            ("sobel-v", 0),
            ("prewitt-h", 270),
            ("scharr-v", 0),
            ("sobel-45", 45),
            ("sobel-135", 135),
            ("1 0 -1", 180),
            ("emboss", 315),
        ],
    )
    def test_where_it_has_to_be_brighter(self, text: str, degrees: float) -> None:
        assert character(kernel(text).matrix).towards == pytest.approx(degrees)

    def test_the_direction_is_true(self) -> None:
        """A picture that gets brighter that way answers positive everywhere."""
        for text in ("sobel-v", "sobel-h", "sobel-45", "sobel-135", "-1 1", "1 -1"):
            angle = math.radians(character(kernel(text).matrix).towards or 0)
            y, x = np.mgrid[0:9, 0:9]
            slope = x * math.cos(angle) - y * math.sin(angle)
            assert (cnnfilter.convolve(slope, text, padding="valid") > 0).all(), text

    def test_edges_in_words(self) -> None:
        assert character(kernel("sobel-h").matrix).meaning[0] == (
            "Answers to horizontal edges: positive where it is brighter below, negative the other way round."
        )

    def test_a_shift_is_told_as_it_happens(self) -> None:
        assert cnnfilter.convolve([[1, 2, 3]], "0 0 1", pad_mode="zero").tolist() == [[2, 3, 0]]
        assert character(kernel("0 0 1").matrix).meaning == ("It moves the picture 1 pixel to the left.",)

    def test_lines_are_told_by_their_sign(self) -> None:
        assert "vertical lines: positive on bright ones" in character(kernel("-1 2 -1").matrix).meaning[0]
        assert "horizontal lines: positive on dark ones" in character(kernel("1; -2; 1").matrix).meaning[0]

    def test_brightness(self) -> None:
        assert "The weights sum to 1: brightness stays." in character(kernel("blur").matrix, 9).meaning
        assert "The weights sum to 9: brightness is multiplied by it." in character(kernel("blur").matrix).meaning


class TestSpectrum:
    def test_a_box_takes_out_stripes_of_its_size(self) -> None:
        found = gains(np.ones((3, 3)) / 9, np.zeros(1), np.array([0, 1 / 3, 0.5]))
        assert found[0] == pytest.approx([1, 0, 1 / 3])

    def test_sobel_answers_most_to_waves_four_pixels_long(self) -> None:
        found = spectrum(kernel("sobel-v").matrix)
        assert (found.flat, found.peak, found.peak_frequency, found.wavelength) == (0, 8, (0, 0.25), 4)
        assert found.across[8] == pytest.approx(8)
        assert set(found.down) == {0}

    def test_it_is_what_a_wave_becomes(self) -> None:
        matrix = kernel("gaussian:7:1.5").matrix
        x = np.arange(64)
        wave = np.tile(np.cos(2 * np.pi * x / 8), (16, 1))
        response = cnnfilter.convolve(wave, matrix, pad_mode="wrap")
        assert np.abs(response).max() == pytest.approx(gains(matrix, np.zeros(1), np.array([1 / 8]))[0, 0], rel=1e-5)

    def test_the_plane_has_flat_areas_in_the_middle(self) -> None:
        assert plane(kernel("laplacian").matrix, 3).tolist() == [[8, 4, 8], [4, 0, 4], [8, 4, 8]]


class TestStatistics:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.bool_])
    def test_they_are_numpys(self, dtype: type) -> None:
        values: Any = np.random.default_rng(3).integers(0, 200, (700, 601)).astype(dtype)
        found = channel_statistics(values)
        wide = values.astype(np.float64)
        assert (found.low, found.high) == (wide.min(), wide.max())
        assert found.mean == pytest.approx(wide.mean())
        assert found.deviation == pytest.approx(wide.std())
        assert sum(found.histogram) == values.size
        assert found.nonfinite == 0

    def test_shares_of_the_ends(self) -> None:
        found = channel_statistics(np.array([[0, 0, 0, 255], [7, 255, 9, 0]], np.uint8))
        assert (found.at_low, found.at_high, found.edges) == (0.5, 0.25, (0, 256))
        assert (found.histogram[0], found.histogram[1], found.histogram[63]) == (4, 1, 2)

    def test_only_finite_floats_count(self) -> None:
        found = channel_statistics(np.array([[np.nan, np.inf, 300, 0]], np.float32))
        assert (found.nonfinite, found.mean, found.at_low, found.at_high) == (2, 150, 0.5, 0.5)

    def test_one_value_lies_in_the_first_bin(self) -> None:
        found = channel_statistics(np.full((3, 4), 7.5, np.float32), bins=4)
        assert (found.edges, found.histogram, found.deviation) == ((7.5, 7.5), (12, 0, 0, 0), 0)

    def test_as_plain_data(self) -> None:
        found = channel_statistics(np.array([[0, 1]], np.uint8), bins=2).as_dict()
        assert found == json.loads(json.dumps(found))
        assert (found["mean"], found["edges"], found["histogram"]) == (0.5, [0, 256], [2, 0])

    def test_nothing_finite(self) -> None:
        found = channel_statistics(np.full((2, 2), np.nan, np.float32))
        assert (found.nonfinite, sum(found.histogram), found.mean) == (4, 0, 0)


class TestKernelReport:
    @pytest.mark.parametrize("text", [*NAMED, *GRADIENTS, "gaussian:7:1.5", "log:31:4", "1 3"])
    def test_it_is_plain_data(self, text: str) -> None:
        report = explain_kernel(Convolution.of(text)).as_dict()
        assert json.loads(json.dumps(report, allow_nan=False)) == report

    def test_execution(self) -> None:
        (found,) = explain_kernel(Convolution.of("sobel-v")).execution
        assert (found.input_shape, found.output_shape) == ((1080, 1920, 3), (1080, 1920, 3))
        assert (found.mapping, found.strategy, found.steps) == ("abs", "bands", 3)
        assert (found.taps, found.nonzero, found.macs_per_value, found.macs) == (9, 6, 9, 1080 * 1920 * 3 * 9)
        assert found.program[0] == "s0 = rows 0 + stride * i"
        assert found.program[-1] == "result: s3"

    def test_execution_of_an_image_and_options(self) -> None:
        convolution = Convolution.of("sobel", stride=2, channels="sum")
        both = explain_kernel(convolution, (10, 12, 3)).execution
        assert [each.output_shape for each in both] == [(5, 6), (5, 6)]
        assert sum(each.macs for each in both) == convolution.macs((10, 12, 3)) == 5 * 6 * 9 * 3 * 2

    def test_reach(self) -> None:
        (plain,) = explain_kernel(Convolution.of("sobel-v")).matrices
        assert plain.reach == (-1020, 1020)
        (scaled,) = explain_kernel(Convolution.of("sharpen", scale="-1/5", bias=10)).matrices
        assert scaled.reach == (-245, 214)
        (mean,) = explain_kernel(Convolution.of("blur")).matrices
        assert mean.reach == (0, 255)

    def test_flip_turns_what_is_told(self) -> None:
        report = explain_kernel(Convolution.of("sobel-v", flip=True))
        assert report.matrices[0].matrix.tolist() == [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
        assert report.matrices[0].character.towards == 180

    def test_a_gradient_has_two_matrices(self) -> None:
        report = explain_kernel(Convolution.of("scharr"))
        assert [each.name for each in report.matrices] == ["scharr-v", "scharr-h"]
        assert report.filter == "edge detection (gradient magnitude)"


class TestBanks:
    def test_of_random_filters(self) -> None:
        report = explain_bank(Convolution.of("random:3:5:7"), (20, 30, 3))
        weights = kernel("random:3:5:7").spanning(3).matrix
        assert (report.shape, report.params) == ((3, 3, 3, 5), 135)
        assert report.filters[4].sum == pytest.approx(weights[:, :, :, 4].sum())
        assert report.filters[4].gray == pytest.approx(weights[:, :, :, 4].sum(axis=2))
        assert report.execution.output_shape == (20, 30, 5)
        assert (report.execution.taps, report.execution.macs_per_value) == (27, 27)

    def test_it_is_plain_data(self) -> None:
        data = explain_bank(Convolution.of("random:3:2")).as_dict()
        assert json.loads(json.dumps(data)) == data

    def test_a_bank_of_its_own_channels(self) -> None:
        report = explain_bank(Convolution.of(np.ones((3, 3, 7, 2))))
        assert report.execution.input_shape == (1080, 1920, 7)


class TestPipelineReport:
    def test_costs(self) -> None:
        pipeline = cnnfilter.parse_pipeline(
            "conv2d 8 size=3 padding=1 | batchnorm params=bn | relu | flatten | dense 10"
        )
        data = explain_pipeline(pipeline, (10, 10, 3)).as_dict()
        assert (data["params"], data["macs"]) == (8 * 28 + 16 + 8010, 100 * 8 * 27 + 8000)
        assert [layer["weight_bytes"] for layer in data["layers"]] == [4 * 224, 4 * 32, 0, 0, 4 * 8010]
        assert data["weight_bytes"] == 4 * (224 + 32 + 8010)
        assert data["memory"] == 4 * 2 * 800
        assert json.loads(json.dumps(data))["layers"][0]["settings"] == {"filters": "8", "size": "3", "padding": "1"}

    def test_branches(self) -> None:
        pipeline = cnnfilter.parse_pipeline("relu name=a | abs from=input | add from=a,abs")
        assert [line.inputs for line in explain_pipeline(pipeline, None).layers] == [(), ("input",), ("a", "abs")]

    def test_settings_are_written_as_in_a_line_of_steps(self) -> None:
        text = "pool ceil_mode=true size=2x3 | standardize mean=0.5,1,2 std=2 | convolve '1 0' padding=[[1,2],[0,1]]"
        told = [line.settings for line in explain_pipeline(cnnfilter.parse_pipeline(text), None).layers]
        assert told == [
            {"size": "2x3", "ceil_mode": "true"},
            {"mean": "0.5,1.0,2.0", "std": "2.0"},
            {"kernel": "1 0", "padding": "[[1, 2], [0, 1]]"},
        ]

    def test_arrays_are_given_and_kernels_have_names(self) -> None:
        layers = (Convolve(kernel("box:3")), Conv2d(weight=np.ones((2, 3, 1, 1))))
        told = [line.settings for line in explain_pipeline(Pipeline(layers), None).layers]
        assert told == [{"kernel": "box:3"}, {"filters": "2", "size": "1x1", "weight": "(given)"}]

    def test_without_an_input(self) -> None:
        data = explain_pipeline(cnnfilter.parse_pipeline("gray | convolve sobel-v stride=2"), None).as_dict()
        assert (data["input_shape"], data["params"]) == (None, None)
        assert data["layers"][1] == {
            "name": "convolve",
            "type": "convolve",
            "from": None,
            "settings": {"kernel": "sobel-v", "stride": "2"},
        }


class TestListing:
    def test_everything_has_a_meaning(self) -> None:
        assert list(listing.kernels()) == cnnfilter.kernel_names()
        assert [layer.type for layer in listing.layers()] == list(LAYERS)
        assert all(listing.kernels().values())
        assert all(listing.families().values())
        assert "gaussian:SIZE[:SIGMA]" in listing.families()

    def test_keys_and_defaults(self) -> None:
        layers = {layer.type: layer for layer in listing.layers()}
        assert layers["pool"].keys == {
            "kind": "max",
            "size": "2",
            "stride": "(the size)",
            "padding": "valid",
            "ceil_mode": "false",
            "count_include_pad": "false",
            "dilation": "1",
        }
        assert (layers["crop"].main, layers["crop"].keys) == ("size", {"size": None})
        assert list(layers["dense"].keys) == ["units", "bias", "weight"]

    def test_it_is_plain_data(self) -> None:
        data = listing.as_dict()
        assert json.loads(json.dumps(data)) == data
        assert data["kernels"]["identity"] == "the picture as it is"
        assert data["families"]["box:SIZE"]
        assert next(layer for layer in data["layers"] if layer["type"] == "relu")["keys"].keys() <= {"name", "from"}


class TestTensors:
    def test_tensors_of_a_file(self, tmp_path: Path) -> None:
        tensors: dict[str, Any] = {"fc.weight": np.ones((2, 3)), "fc.bias": np.ones(2)}
        np.savez(tmp_path / "w.npz", **tensors)
        data = tensors_as_dict(load(str(tmp_path / "w.npz")))
        assert data == {"kind": "weights", "params": 8, "tensors": {"fc.weight": [2, 3], "fc.bias": [2]}}
