"""What every Encoder keeps; a new one is tested by a subclass with an `encoder` fixture."""

import unicodedata

import numpy as np

from matcher.matching.embed import Encoder

TEXTS = [
    "Xây dựng cảng trung chuyển quốc tế Cần Giờ",
    "container terminal operator",
    "半導体工場",
    "school",
    "Điện gió ngoài khơi và truyền tải điện tại Bà Rịa - Vũng Tàu, công suất một nghìn megawatt",
    "호찌민시 산업단지",
]


class EncoderContract:
    def test_one_unit_row_of_float32_per_text(self, encoder: Encoder) -> None:
        rows = encoder.encode(TEXTS)
        assert rows.shape == (len(TEXTS), encoder.dimensions)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)

    def test_rows_come_in_the_order_of_the_texts(self, encoder: Encoder) -> None:
        rows = encoder.encode(TEXTS)
        turned = encoder.encode(TEXTS[::-1])
        np.testing.assert_allclose(rows, turned[::-1], atol=1e-5)
        assert np.linalg.norm(rows[0] - rows[1]) > 0.01

    def test_a_text_has_one_vector_alone_and_in_company(self, encoder: Encoder) -> None:
        rows = encoder.encode([*TEXTS, TEXTS[2]])
        np.testing.assert_allclose(rows[2], rows[-1], atol=1e-5)
        for text, row in zip(TEXTS, rows, strict=False):
            np.testing.assert_allclose(encoder.encode([text])[0], row, atol=1e-5)

    def test_no_text_gives_no_row(self, encoder: Encoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dimensions)

    def test_an_empty_text_has_a_vector(self, encoder: Encoder) -> None:
        assert np.isfinite(encoder.encode(["", "  "])).all()

    def test_composed_and_decomposed_text_are_the_same(self, encoder: Encoder) -> None:
        text = TEXTS[0]
        apart = unicodedata.normalize("NFD", text)
        assert apart != text
        np.testing.assert_allclose(encoder.encode([apart]), encoder.encode([text]), atol=1e-6)

    def test_the_id_stays_and_names_something(self, encoder: Encoder) -> None:
        before = encoder.id
        encoder.encode(TEXTS[:1])
        assert before == encoder.id != ""

    def test_progress_ends_with_all_texts(self, encoder: Encoder) -> None:
        seen: list[tuple[int, int]] = []
        encoder.encode(TEXTS, progress=lambda done, total: seen.append((done, total)))
        assert seen
        assert seen[-1] == (len(TEXTS), len(TEXTS))
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
