"""Sentences that results carry in English: how they read in Vietnamese."""

import re
from collections.abc import Callable, Container
from functools import cache

SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "The ranker gives no probabilities",
        "Cách xếp hạng này không nêu xác suất",
    ),
    (
        "No query is announced within the days that probabilities are about",
        "Không có truy vấn nào được công bố trong thời hạn mà xác suất nói tới",
    ),
    (
        "There are no answers to score against",
        "Không có đáp án để chấm",
    ),
    (
        "There are no partners to rank",
        "Không có đối tác để xếp hạng",
    ),
    (
        "Not given: {}",
        "Dữ liệu không có: {}",
    ),
    (
        "deals have no date and train because the set is in its blind form: {}",
        "thương vụ không có ngày, vẫn được dùng để học vì bộ dữ liệu ở dạng ẩn đáp án: {}",
    ),
    (
        "deals have no date and do not train: {}",
        "thương vụ không có ngày, không được dùng để học: {}",
    ),
    (
        "rows of {} are alike in {} and count once: {}",
        "dòng của {} trùng nhau ở {}, chỉ tính một lần: {}",
    ),
    (
        "cells of {} were not in Unicode NFC or had blanks around them: {}",
        "ô của {} không ở dạng Unicode NFC hoặc có khoảng trắng thừa: {}",
    ),
    (
        '{}: the {} "{}" is in none of our tables: {}',
        '{}: {} "{}" không có trong bảng nào của chúng tôi: {}',
    ),
    (
        "{} on {}; the engine fitted on deals whose partners were permuted, against {} permutations of popularity",
        "{} trên lát cắt {}; mô hình huấn luyện trên thương vụ bị đánh tráo đối tác, so với {} lần đánh tráo cách Phổ "
        "biến",
    ),
    (
        "change of {} on {} when the names of partners are masked in all texts",
        "thay đổi của {} trên lát cắt {} khi tên đối tác bị che trong mọi văn bản",
    ),
    (
        "share of queries with the name, host, description and value of a training project: {} of {}",
        "tỷ lệ truy vấn trùng tên, nước, mô tả và số vốn với một dự án đã học: {} trên {}",
    ),
    (
        "Too little data: {} dated deals are known, {} are needed",
        "Chưa đủ dữ liệu: mới có {} thương vụ ghi ngày, cần {}",
    ),
    (
        "Too few data: {} dated deals, {} needed",
        "Chưa đủ dữ liệu: {} thương vụ có ngày, cần {}",
    ),
    (
        "linear model alone: {} labelled queries, {} needed for a tree",
        "chỉ dùng mô hình tuyến tính: có {} truy vấn có nhãn, cần {} để học cây quyết định",
    ),
    (
        "linear model alone: {} labelled queries, all of one year, so that no earlier ones are left to fit a tree on",
        "chỉ dùng mô hình tuyến tính: {} truy vấn có nhãn đều thuộc một năm, không còn năm trước để học cây quyết định",
    ),
    (
        "linear model plus {} of LambdaMART, chosen on {} queries after {}, of {} labelled queries in all",
        "mô hình tuyến tính, cộng {} phần LambdaMART, chọn trên {} truy vấn sau ngày {}, trong tổng số {} "
        "truy vấn có nhãn",
    ),
    (
        "linear model and fused rankers plus {} of LambdaMART, chosen on {} queries after {}, of {} labelled queries "
        "in all",
        "mô hình tuyến tính và các cách xếp hạng gộp lại, cộng {} phần LambdaMART, chọn trên {} truy vấn sau ngày {}, "
        "trong tổng số {} truy vấn có nhãn",
    ),
    (
        "experience first plus {} of LambdaMART, chosen on {} queries after {}, of {} labelled queries in all",
        "kinh nghiệm trước, cộng {} phần LambdaMART, chọn trên {} truy vấn sau ngày {}, trong tổng số {} "
        "truy vấn có nhãn",
    ),
    (
        "linear model plus {} of LambdaMART, chosen on the {} latest of {} queries",
        "mô hình tuyến tính cộng {} LambdaMART, chọn trên {} truy vấn mới nhất trong {}",
    ),
    (
        "{}: {} projects in the run are no queries with an answer and are left out",
        "{}: {} dự án trong tệp kết quả không phải truy vấn có đáp án, bị bỏ qua",
    ),
    (
        "{}: {} projects in the run are no queries of {} and are left out",
        "{}: {} dự án trong tệp kết quả không phải truy vấn của {}, bị bỏ qua",
    ),
    (
        "{}: {} of {} queries are not in the run and count as without a hit",
        "{}: {} trong {} truy vấn không có trong tệp kết quả, bị tính là không tìm thấy ai",
    ),
    (
        "none stated; evaluation use only",
        "không ghi; chỉ dùng để đánh giá",
    ),
    (
        "Benchmark",
        "Đánh giá so sánh",
    ),
    (
        "Score",
        "Chấm điểm",
    ),
    (
        "Our own data",
        "Dữ liệu của chính chúng tôi",
    ),
    (
        "Split: at 31 December of the year before, the engine is fitted on what was public by then and ranks every "
        "partner that could have been listed, for every project in Viet Nam on which a partner's first dated deal "
        "closed in the year. Partners known to be in a project already are neither right nor wrong answers",
        "Cách chia: mô hình được huấn luyện trên những gì đã công khai đến 31/12 năm trước, rồi xếp hạng mọi đối tác "
        "khi đó có thể được liệt kê, cho mỗi dự án tại Việt Nam mà thương vụ có ngày đầu tiên của một đối tác diễn ra "
        "trong năm. Đối tác đã biết là có mặt trong dự án không bị tính là đúng hay sai",
    ),
    (
        "A project is asked as its record reads today where it was not public yet; names of those who took part by "
        "the end of the year are masked. Partners' own facts (sector, activities, size) are of today in every year",
        "Dự án khi đó chưa công khai được hỏi theo hồ sơ hiện nay; tên những bên tham gia đến cuối năm được che. Thông "
        "tin của chính đối tác (ngành, hoạt động, quy mô) luôn là của hiện nay",
    ),
    (
        "Slices other than warm and cold_pool have every partner that could have been listed as candidates; those by "
        "kind and home are about the right partners. A value has a slice of its own from {} queries on",
        "Trừ hai lát cắt “Đối tác từng có thương vụ” và “Đối tác chưa có thương vụ, chỉ so với nhau”, mọi lát cắt xếp "
        "hạng tất cả đối tác có thể được liệt kê; lát cắt theo loại hình và theo nước xét các đối tác đúng. Một giá "
        "trị có lát cắt riêng khi có từ {} truy vấn",
    ),
    (
        "profile_dense, profile_bm25 and profile_rrf compare the project's text with what the partner says of itself; "
        "dense_profile and bm25_profile with the texts of its past projects",
        "Ba cách “Hồ sơ” (theo nghĩa, theo từ ngữ, gộp) so văn bản dự án với hồ sơ đối tác tự mô tả; “Lịch sử gần "
        "nghĩa” và “BM25 trên lịch sử” so với văn bản các dự án cũ của đối tác",
    ),
    (
        "Median rank of a right partner: {}",
        "Thứ hạng trung vị của đối tác đúng: {}",
    ),
    (
        "{} labels in {} queries: all of them deals in Viet Nam that reached the press",
        "{} nhãn trong {} truy vấn: đều là thương vụ tại Việt Nam được báo chí đưa tin",
    ),
    (
        "Pairs with a deal that are no labels: {} record read from its deal, {} before the first year, {} undated",
        "Cặp có thương vụ nhưng không thành nhãn: {} có hồ sơ lấy từ chính thương vụ, {} trước năm đầu tiên, {} không "
        "rõ ngày",
    ),
    (
        "Pairs with a deal that are no labels: {}",
        "Cặp có thương vụ nhưng không thành nhãn: {}",
    ),
    (
        "{} labels are left out because nobody would have listed the partner: its record was read from a deal of its "
        "own that was still to come ({})",
        "{} nhãn bị bỏ vì khi đó không ai liệt kê được đối tác: hồ sơ của họ lấy từ một thương vụ của chính họ, lúc đó "
        "chưa diễn ra ({})",
    ),
    (
        "Years without a label: {}",
        "Năm không có nhãn: {}",
    ),
)
"""English, Vietnamese; `{}` stands for a value that stays as it is. A full stop at the end may be there or not."""


def told(text: str, lang: str, slices: Container[str], named: Callable[[str], str]) -> str | None:
    """A sentence of `SENTENCES` in a language ('vi' or 'en'), with slices by name; None for any other."""
    for pattern, both in _patterns():
        if found := pattern.fullmatch(text.removesuffix(".")):
            values = (f"“{named(v)}”" if v in slices else v for v in found.groups())
            return both[lang].format(*values) + ("." if text.endswith(".") else "")
    return None


def known(text: str) -> bool:
    """The sentence is one of `SENTENCES`."""
    return any(pattern.fullmatch(text.removesuffix(".")) for pattern, _both in _patterns())


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    return tuple(
        (re.compile("(.*?)".join(map(re.escape, english.split("{}"))), re.DOTALL), {"en": english, "vi": vietnamese})
        for english, vietnamese in SENTENCES
    )
