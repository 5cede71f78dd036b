"""The model card in words, in Vietnamese or English; every number comes from the card."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from matcher.matching.labels import KIND_NAMES, REASON_NAMES, Both
from matcher.text import day, number

Card = Mapping[str, Any]

FEW = 100
"""Held-out queries below which the reader is told to read intervals."""

_USES: dict[str, tuple[str, ...]] = {
    "vi": (
        "Dùng để: xếp hạng đối tác nước ngoài cho dự án kêu gọi đầu tư (và ngược lại) làm danh sách ngắn cho cán bộ "
        "xem xét, kèm lý do thuận và nghịch.",
        "Không dùng để: tự động chọn hay loại một đối tác; thay cho thẩm định năng lực, pháp lý, trừng phạt hay an "
        "ninh; chấm điểm tín dụng; đánh giá cá nhân; cấp phép, đấu thầu hay phân bổ vốn.",
        "Điểm số chỉ có nghĩa về thứ tự trong một danh sách; không so sánh giữa hai mô hình, không phải xác suất.",
    ),
    "en": (
        "For: ranking foreign partners for projects that seek investment (and the other way round), as a short list "
        "with reasons for and against that an officer reviews.",
        "Not for: choosing or excluding a partner automatically; replacing due diligence or legal, sanctions and "
        "security checks; credit scoring; judging persons; licensing, tendering or allocating money.",
        "Scores mean an order within one list; they do not compare two engines and are no probabilities.",
    ),
}  # fmt: skip

_LIMITS: dict[str, tuple[str, ...]] = {
    "vi": (
        "Câu trả lời đúng chỉ là thương vụ đã được ghi nhận; không có thương vụ không có nghĩa là không quan tâm.",
        "Hồ sơ đối tác (ngành, hoạt động, quy mô) là của ngày dữ liệu, kể cả khi câu hỏi thuộc năm trước.",
        "Khoảng tin cậy cho biết con số thay đổi ra sao với các dự án tương tự, không phải với loại dự án khác.",
        "Các công ty cùng tập đoàn không được gộp; doanh nghiệp còn hoạt động hay không chưa được kiểm tra.",
        "Tên đối tác và tên dự án một mình không quyết định; mô tả càng ngắn thì gợi ý càng kém.",
    ),
    "en": (
        "Right answers are recorded deals alone; no deal on record does not mean no interest.",
        "What partners say of themselves (sector, activities, size) is of the day of the data, for questions of "
        "earlier years too.",
        "Intervals tell how figures would move with other projects like these, not with another kind of project.",
        "Companies of one group are not joined, and whether a company still exists was not checked.",
        "A name alone decides nothing; the shorter a description, the weaker the matches.",
    ),
}  # fmt: skip

_STATE: dict[str, Both] = {
    "above": {
        "vi": "Hơn ngẫu nhiên: thứ tự tốt hơn khi đổi tên đối tác hoặc chia lại đáp án một cách ngẫu nhiên.",
        "en": "Better than chance: the order beats random renamings of partners and random dealings of answers.",
    },
    "untested": {
        "vi": "CHƯA KIỂM CHỨNG: quá ít thương vụ có ngày để biết các gợi ý có hơn ngẫu nhiên hay không.",
        "en": "NOT TESTED: too few dated deals to tell whether these matches are better than chance.",
    },
}

_SLICES: dict[str, Both] = {
    "warm": {"vi": "đối tác đã có thương vụ", "en": "partners with a deal by then"},
    "new_pairs": {
        "vi": "đối tác có thương vụ, mới ở nước sở tại",
        "en": "partners with deals, new to the host country",
    },
    "cold_full_pool": {
        "vi": "đối tác chưa có thương vụ, tìm trong mọi đối tác",
        "en": "partners without a deal, found among all",
    },
    "cold_pool": {
        "vi": "đối tác chưa có thương vụ, tìm trong nhóm của họ",
        "en": "partners without a deal, found among themselves",
    },
    "cold_sector": {"vi": "dự án thuộc ngành chưa có thương vụ", "en": "projects of sectors without an earlier deal"},
    "cold_host": {"vi": "nước sở tại chưa có thương vụ", "en": "host countries without an earlier deal"},
    "popularity_low": {"vi": "ít thương vụ nhất (một phần ba)", "en": "third with fewest deals"},
    "popularity_mid": {"vi": "một phần ba ở giữa", "en": "middle third"},
    "popularity_high": {"vi": "nhiều thương vụ nhất (một phần ba)", "en": "third with most deals"},
}

_SIMILARITIES: dict[str, Both] = {
    "sector": {"vi": "cùng nhãn ngành", "en": "same sector label"},
    "division": {"vi": "cùng ngành cấp 2 ISIC", "en": "same ISIC division"},
    "host": {"vi": "cùng nước sở tại", "en": "same host country"},
    "subregion": {"vi": "cùng tiểu vùng", "en": "same part of the world"},
    "continent": {"vi": "cùng châu lục", "en": "same continent"},
    "area": {"vi": "cùng vùng", "en": "same region"},
    "city": {"vi": "cùng thành phố", "en": "same city"},
    "label": {"vi": "nhãn ngành có từ chung", "en": "common words of the sector labels"},
    "section": {"vi": "cùng ngành cấp 1 ISIC", "en": "same ISIC section"},
    "value": {"vi": "giá trị gần nhau", "en": "similar value"},
    "words": {"vi": "cùng từ ngữ", "en": "same words"},
    "meaning": {"vi": "nghĩa gần nhau", "en": "similar meaning"},
}

_WORDS: dict[str, dict[str, str]] = {
    "vi": {
        "title": "Thẻ mô hình", "use": "Dùng vào việc gì", "data": "Dữ liệu", "learned": "Đã học gì, chọn gì",
        "good": "Tốt đến đâu", "slices": "Theo nhóm", "probability": "Xác suất",
        "reasons": "Mỗi lý do đáng giá bao nhiêu",
        "limits": "Giới hạn", "sources": "Nguồn", "ranker": "mô hình", "popular": "theo số thương vụ",
        "random": "ngẫu nhiên", "median": "hạng trung vị", "few": "quá ít để nói", "none": "–", "other": "khác",
        "queries": "câu hỏi", "answers": "đáp án", "latest": "mới nhất", "rows": "số dòng", "source": "nguồn",
        "slice": "nhóm", "worth": "nDCG@10 mất đi khi bỏ", "reason": "lý do", "measure": "số đo",
        "kind": "loại hình", "publishers": "nguồn khác",
    },
    "en": {
        "title": "Model card", "use": "What it is for", "data": "Data", "learned": "What was learned and chosen",
        "good": "How good it is", "slices": "By group", "probability": "Probability",
        "reasons": "What each reason is worth",
        "limits": "Limits", "sources": "Sources", "ranker": "engine", "popular": "by number of deals",
        "random": "random", "median": "median rank", "few": "too few to say", "none": "–", "other": "other",
        "queries": "queries", "answers": "answers", "latest": "latest", "rows": "rows", "source": "source",
        "slice": "group", "worth": "nDCG@10 lost without it", "reason": "reason", "measure": "measure",
        "kind": "kind", "publishers": "further sources",
    },
}  # fmt: skip


def render(card: Card, lang: str, warning: Both | None = None) -> str:
    """The card as Markdown in a language, 'vi' or 'en'. `warning` is what every list of the engine must carry."""
    return "\n".join(_Writer(card, lang, warning).lines()) + "\n"


class _Writer:
    def __init__(self, card: Card, lang: str, warning: Both | None) -> None:
        self.card, self.lang, self.warning, self.words = card, lang, warning, _WORDS[lang]

    def lines(self) -> Iterator[str]:
        yield f"# {self.words['title']} · {self.day(self.card['as_of'])}"
        yield ""
        told = self.warning or _STATE[self.card["bound"]["state"]]
        yield f"**{told[self.lang]}**"
        for name, part in (
            ("use", self.items(_USES[self.lang])), ("data", self.data()), ("learned", self.learned()),
            ("good", self.good()), ("slices", self.slices()), ("probability", self.probability()),
            ("reasons", self.reasons()), ("limits", self.limits()), ("sources", self.sources()),
        ):  # fmt: skip
            yield from ("", f"## {self.words[name]}", "", *part)

    def say(self, vi: str, en: str) -> str:
        return vi if self.lang == "vi" else en

    def day(self, iso: str) -> str:
        return day(date.fromisoformat(iso), self.lang)

    def n(self, value: float | None, digits: int = 0) -> str:
        return self.words["none"] if value is None else number(value, self.lang, digits)

    def figure(self, found: Sequence[float | None] | None, digits: int = 3) -> str:
        if not found or found[0] is None:
            return self.words["none"]
        mean, low, high = (self.n(v, digits) for v in found)
        return f"{mean} ({low} – {high})"

    @staticmethod
    def items(texts: Sequence[str]) -> Iterator[str]:
        yield from (f"- {t}" for t in texts)

    @staticmethod
    def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
        yield f"| {' | '.join(head)} |"
        yield "|" + "---|" * len(head)
        yield from (f"| {' | '.join(cell.replace('|', '¦') for cell in row)} |" for row in rows)

    def data(self) -> Iterator[str]:
        d = self.card["data"]
        c = {k: self.n(v) for k, v in d.items() if isinstance(v, int)}
        years = list(d["years"])
        span = f"{years[0]}–{years[-1]}" if years else self.words["none"]
        yield self.say(
            f"- {c['projects']} dự án, {c['partners']} đối tác ({c['partners_with_deals']} có thương vụ), {c['deals']} "
            f"thương vụ, trong đó {c['positive_deals']} thành và {c['dated_deals']} thành có ngày ({span}).",
            f"- {c['projects']} projects, {c['partners']} partners ({c['partners_with_deals']} with a deal), "
            f"{c['deals']} deals, {c['positive_deals']} came about, {c['dated_deals']} with a date ({span}).",
        )
        hosts = ", ".join(f"{self.other(k)} {self.n(v)}" for k, v in list(d["hosts"].items())[:12])
        kinds = ", ".join(f"{self.kind(k)} {self.n(v)}" for k, v in d["kinds"].items())
        yield self.say(f"- Nước sở tại của thương vụ: {hosts or '–'}.", f"- Host countries of deals: {hosts or '–'}.")
        yield self.say(f"- Loại hình đối tác: {kinds or '–'}.", f"- Kinds of partner: {kinds or '–'}.")
        made = f"{self.card['encoder']}; {self.card['profiles']}; seed {self.card['seed']}"
        yield self.say(f"- Bộ mã hóa văn bản, hồ sơ, hạt giống: {made}.", f"- Text encoder, profiles, seed: {made}.")

    def learned(self) -> Iterator[str]:
        told = self.card["learning"]
        yield self.say(
            f"- {self.n(told['queries'])} câu hỏi có đáp án, {self.n(told['labels'])} đáp án.",
            f"- {self.n(told['queries'])} queries with an answer, {self.n(told['labels'])} answers.",
        )
        yield self.say(f"- Đã chọn (tiếng Anh): {told['chosen']}.", f"- Chosen: {told['chosen']}.")
        kernel = told["kernel"]
        weights = {k: v for k, v in kernel.get("weights", {}).items() if v}
        order = sorted(weights, key=lambda k: (-weights[k], k))
        if order:
            named = ", ".join(f"{_SIMILARITIES.get(k, {}).get(self.lang, k)} {self.n(weights[k], 2)}" for k in order)
            yield self.say(
                f"- Dự án trước đây bỏ phiếu cho đối tác của mình; trọng số của từng điểm giống nhau: {named}.",
                f"- Past projects vote for their partners; weight of each likeness: {named}.",
            )
        if "half_life" in kernel and "back_off" in kernel:
            years, share = self.n(kernel["half_life"], 1), self.n(100 * kernel["back_off"], 1)
            yield self.say(
                f"- Phiếu giảm một nửa sau mỗi {years} năm; {share}% theo số thương vụ.",
                f"- A vote halves every {years} years; {share}% goes by the number of deals.",
            )

    def good(self) -> Iterator[str]:
        held, bound = self.card["held"], self.card["bound"]
        if held is None:
            yield self.say(
                "Không có số đo: quá ít thương vụ có ngày để giữ lại một phần mà kiểm tra.",
                "No figures: too few dated deals to hold some out.",
            )
            return
        yield self.say(
            f"{self.n(held['queries'])} câu hỏi giữ lại (từ {self.day(held['first_day'])} đến "
            f"{self.day(held['last_day'])}), {self.n(held['answers'])} đáp án, khoảng {self.n(held['candidates'])} ứng "
            "viên mỗi câu; trong ngoặc là khoảng tin cậy 95%.",
            f"{self.n(held['queries'])} held-out queries (of {self.day(held['first_day'])} to "
            f"{self.day(held['last_day'])}), {self.n(held['answers'])} answers, some {self.n(held['candidates'])} "
            "candidates each; in brackets 95% intervals.",
        )
        yield ""
        head = (self.words["measure"], self.words["ranker"], self.words["popular"], self.words["random"])
        rows = [
            (m, self.figure(v), self.figure(held["popularity"][m]), self.n(held["chance"][m], 3))
            for m, v in held["measures"].items()
        ]
        rows.append((self.words["median"], self.figure(held["median_rank"], 0), self.words["none"], self.words["none"]))
        yield from self.table(head, rows)
        yield ""
        less = self.figure(held["less_popularity"])
        yield self.say(f"- Hơn cách xếp theo số thương vụ: nDCG@10 {less}.", f"- Ahead of popularity: nDCG@10 {less}.")
        if bound.get("value") is not None:
            v, a, b = (self.n(bound[k], 3) for k in ("value", "random", "dealt"))
            times = self.n(bound["permutations"])
            yield self.say(
                f"- nDCG của cả danh sách {v}; cao nhất {a} trong {times} lần đổi tên đối tác ngẫu nhiên; "
                f"{b} là mức mà 5% trong {times} lần chia lại đáp án cho các dự án vượt qua.",
                f"- nDCG of the whole list {v}; at most {a} in {times} random renamings of partners; {b} is "
                f"exceeded by 5% of {times} random dealings of the answers to the projects.",
            )

    def slices(self) -> Iterator[str]:
        found = self.card["slices"]
        if not found:
            yield self.words["few"]
            return
        rows = []
        for name, told in found.items():
            counts = (self.n(told["queries"]), self.n(told["answers"]))
            if not told["enough"]:
                rows.append((self.slice(name), *counts, self.words["few"], *[self.words["none"]] * 4))
                continue
            ours, theirs, random = told["measures"], told["popularity"], told["chance"]
            rows.append((
                self.slice(name), *counts, self.figure(ours["nDCG@10"]), self.figure(ours["R@50"]),
                self.n(theirs["nDCG@10"][0], 3), self.n(random["nDCG@10"], 3), self.figure(told["median_rank"], 0),
            ))  # fmt: skip
        words = self.words
        head = (
            words["slice"], words["queries"], words["answers"], "nDCG@10", "R@50", f"nDCG@10 {words['popular']}",
            f"nDCG@10 {words['random']}", words["median"],
        )  # fmt: skip
        yield from self.table(head, rows)

    def probability(self) -> Iterator[str]:
        told = self.card["calibration"]
        check = told["check"]
        if told["abstained"] is not None:
            yield self.say("Không đưa ra xác suất. ", "No probability is given. ") + told["abstained"][self.lang]
        elif check is None:
            yield self.say(
                "Có đưa ra xác suất, nhưng quá ít thương vụ để kiểm tra trên câu hỏi khác.",
                "Probabilities are given, but there are too few deals to check them on other queries.",
            )
        else:
            skill = self.figure(check["brier_skill"])
            yield self.say(
                f"{self.n(check['pairs'])} cặp đứng đầu, {self.n(check['positives'])} thành; dự báo trung bình "
                f"{self.n(check['predicted'], 4)}, thực tế {self.n(check['observed'], 4)}; Brier skill "
                f"{skill}. Mỗi lần học trên các dự án khác.",
                f"{self.n(check['pairs'])} leading pairs, {self.n(check['positives'])} came about; predicted "
                f"{self.n(check['predicted'], 4)} on average, observed {self.n(check['observed'], 4)}; Brier skill "
                f"{skill}. Learned on other projects each time.",
            )
            yield ""
            rows = [(self.n(p, 4), self.n(o, 4), self.n(n)) for p, o, n in check["bins"]]
            yield from self.table((self.say("dự báo", "predicted"), self.say("thực tế", "observed"), "n"), rows)

    def reasons(self) -> Iterator[str]:
        rows = [
            (REASON_NAMES.get(r["reason"], {}).get(self.lang, r["reason"]), self.figure(r["worth"]))
            for r in self.card["reasons"]
        ]
        if not rows:
            yield self.words["few"]
            return
        yield self.say(
            "Xem các đặc trưng của một lý do là chưa biết, không học lại:",
            "With the features of one reason taken as unknown, nothing fitted again:",
        )
        yield ""
        yield from self.table((self.words["reason"], self.words["worth"]), rows)

    def limits(self) -> Iterator[str]:
        d, held = self.card["data"], self.card["held"]
        yield from self.items(_LIMITS[self.lang])
        cold = d["partners"] - d["partners_with_deals"]
        if d["partners"] and cold:
            share = self.n(100 * cold / d["partners"])
            yield self.say(
                f"- {share}% đối tác chưa có thương vụ nào; họ được xếp chỉ theo hồ sơ.",
                f"- {share}% of the partners have no deal on record; they are ranked by profile alone.",
            )
        if held is not None and held["queries"] < FEW:
            yield self.say(
                f"- {self.n(held['queries'])} câu hỏi giữ lại là ít: hãy đọc khoảng tin cậy, không đọc số giữa.",
                f"- {self.n(held['queries'])} held-out queries are few: read the interval, not the mean.",
            )

    def sources(self) -> Iterator[str]:
        rows = []
        for one in self.card["data"]["sources"]:
            counts = ", ".join(f"{table} {self.n(n)}" for table, n in one["rows"].items())
            name = one["source"] or f"({self.n(one['publishers'])} {self.words['publishers']})"
            rows.append((name, counts, self.day(one["latest"]) if one["latest"] else self.words["none"]))
        yield from self.table((self.words["source"], self.words["rows"], self.words["latest"]), rows)

    def slice(self, name: str) -> str:
        family, _, value = name.partition(":")
        return f"{self.words['kind']}: {self.kind(value)}" if value else _SLICES.get(family, {}).get(self.lang, name)

    def kind(self, code: str) -> str:
        return KIND_NAMES[code][self.lang == "en"] if code in KIND_NAMES else self.other(code)

    def other(self, code: str) -> str:
        return self.words["other"] if code == "other" else code
