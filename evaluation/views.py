"""What a report shows of each dataset, in one language: findings in words, drawings, rows of tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluation import plots, sentences
from evaluation.leading import MAIN, NOTHING, SIGNIFICANT, best, compared, comparison, figure, main_slice
from evaluation.plots import Role
from evaluation.results import Audit, Check, Comparison, DatasetResult, Figure, Reliability, Scored
from evaluation.words import FAMILY_NAMES, FEW, REST, RUN_TEXTS, Words, _

SHOWN = 12
"""Values of a family of slices, countries or classes that are shown; the rest is counted."""
SHADES = 5
"""Depths in which a difference is shaded, by class: a page may forbid styles on elements."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with the same in words."""

    svg: Markup
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a slice says in words. level: better, worse, unclear (within chance), untested, few (too few queries)."""

    level: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One slice in the table of slices."""

    code: str
    name: str
    focus: Figure
    rival: Figure
    few: bool
    shade: str
    strip: Markup

    @property
    def difference(self) -> float:
        """Focus minus rival; NaN where one is missing."""
        return self.focus.mean - self.rival.mean


class View:
    """One dataset in one language: everything the template prints, computed once."""

    def __init__(self, dataset: DatasetResult, words: Words, number: int) -> None:
        self.dataset, self.w, self.id = dataset, words, f"{words.lang}-{number}"
        self.focus, self.rival = compared(dataset)
        self.main = main_slice(dataset)
        scored = [s for s in (self.main, "new_pairs") if any(s in r.figures for r in dataset.runs)]
        self.slices = tuple(s for s in scored if s == self.main or self.count_of(s).queries)
        self.empty = tuple(s for s in scored if s not in self.slices)
        title = str(dataset.about.get("title") or dataset.name)
        self.title = words.sentence(title) or title

    def role(self, run: str) -> Role:
        """How a run is drawn."""
        if self.focus is not None and run == self.focus.run:
            return "focus"
        return "rival" if self.rival is not None and run == self.rival.run else "other"

    def figure(self, scored: Scored | None, slice_name: str, measure: str = MAIN) -> Figure:
        """See `figure`."""
        return figure(scored, slice_name, measure)

    def count_of(self, slice_name: str) -> Figure:
        """Any figure of a slice: for its number of queries, which is the same for every run."""
        return max((figure(s, slice_name) for s in self.dataset.runs), key=lambda f: f.queries, default=NOTHING)

    def best(self, slice_name: str) -> Scored | None:
        """See `best`."""
        return best(self.dataset.runs, slice_name)

    # in words

    def findings(self) -> list[tuple[str, Finding]]:
        """The leading slices in words: (slice, finding)."""
        return [(s, self._finding(s)) for s in self.slices]

    def _finding(self, slice_name: str) -> Finding:
        w, top = self.w, self.best(slice_name)
        if top is None or self.focus is None:
            return Finding("few", w(_("Không có số liệu")), w(_("Không có truy vấn nào tính được.")))
        shown, mine = figure(top, slice_name), figure(self.focus, slice_name)
        text = w(
            _("Đứng đầu: %(run)s, nDCG@10 %(mean)s (%(interval)s)."),
            run=w.run(top.run), mean=w.figure(shown.mean), interval=w.interval(shown.low, shown.high),
        )  # fmt: skip
        if shown.queries < FEW:
            told = w(_("Chỉ có %(queries)s: nói lên rất ít, không nên kết luận."), queries=w.queries(shown.queries))
            return Finding("few", w(_("Quá ít truy vấn")), f"{text} {told}")
        if top is not self.focus:
            text += " " + w(
                _("%(run)s đạt %(mean)s (%(interval)s)."),
                run=w.run(self.focus.run), mean=w.figure(mine.mean), interval=w.interval(mine.low, mine.high),
            )  # fmt: skip
        rival = compared(self.dataset, slice_name)[1]
        if rival is None:
            return Finding("untested", w(_("Chỉ một cách")), text)
        return self._judged(slice_name, text, self.focus, rival)

    def against(self, slice_name: str, rival: Scored) -> Finding:
        """The run the set is read for against another one on a slice, whether or not the two were tested."""
        if self.focus is None or self.count_of(slice_name).queries < FEW:
            return self._finding(slice_name)
        return self._judged(slice_name, "", self.focus, rival)

    def _judged(self, slice_name: str, text: str, first: Scored, second: Scored) -> Finding:
        w, found = self.w, comparison(self.dataset, first.run, second.run, slice_name)
        names = {"first": w.run(first.run), "second": w.run(second.run)}
        if found is None:
            difference = figure(first, slice_name).mean - figure(second, slice_name).mean
            told = w(
                _("%(first)s so với %(second)s: chênh %(difference)s, chưa được kiểm định."),
                **names, difference=w.difference(difference),
            )  # fmt: skip
            return Finding("untested", w(_("Chưa kiểm định")), f"{text} {told}".strip())
        beyond = found.p_corrected < SIGNIFICANT
        if not beyond:
            level, label = "unclear", _("Chưa phân định")
        elif found.difference > 0:
            level, label = "better", _("Hơn rõ")
        else:
            level, label = "worse", _("Kém rõ")
        told = w(
            _("%(first)s so với %(second)s: chênh %(difference)s (%(interval)s), p hiệu chỉnh %(p)s:"),
            **names, difference=w.difference(found.difference), interval=w.interval(found.low, found.high),
            p=w.p(found.p_corrected),
        )  # fmt: skip
        means = _("vượt quá mức ngẫu nhiên.") if beyond else _("chênh lệch cỡ này có thể chỉ do ngẫu nhiên.")
        return Finding(level, w(label), f"{text} {told} {w(means)}".strip())

    def facts(self) -> list[tuple[str, str]]:
        """What the set is: (what, value), known ones only."""
        w, about = self.w, self.dataset.about
        named = (
            (_("Nhà xuất bản"), "publisher"), (_("Giấy phép"), "licence"), (_("Ngày tách dữ liệu"), "split_on"),
            (_("Giai đoạn được hỏi"), "horizon"), (_("Ngày lấy dữ liệu"), "retrieved"),
            (_("Nguồn"), "source_repository"), (_("Dấu vân tay nội dung"), "digest"),
        )  # fmt: skip
        told = [(name, str(about[key])) for name, key in named if about.get(key)]
        return [(w(name), w.days(w.sentence(text) or text)) for name, text in told]

    def note(self, scored: Scored) -> str:
        """What a run says of itself, where that is more than the report tells of every such run."""
        told = self.w.sentence(scored.note)
        known = scored.run in RUN_TEXTS and not sentences.known(scored.note)
        return "" if known or not scored.note else told or scored.note

    @property
    def failed(self) -> int:
        """Checks for leakage that the set does not pass."""
        return sum(not c.passed for c in self.dataset.checks)

    def timed(self) -> bool:
        """Some run was timed when it was made."""
        return any(s.seconds is not None and math.isfinite(s.seconds) for s in self.dataset.runs)

    def quoted(self) -> list[str]:
        """Notes and caveats of the publisher, word for word."""
        return [str(t) for key in ("notes", "caveats") for t in self.dataset.about.get(key) or ()]

    # drawings

    def forest(self, slice_name: str) -> Plot:
        """nDCG@10 of every run on a slice."""
        w = self.w
        shown = [(s, figure(s, slice_name)) for s in self.dataset.runs]
        points = [
            plots.Point(label=w.run(s.run), mean=f.mean, low=f.low, high=f.high, role=self._shown_role(s.run, f))
            for s, f in shown
        ]
        text = "; ".join(f"{w.run(s.run)} {w.figure(f.mean)} ({w.interval(f.low, f.high)})" for s, f in shown)
        return Plot(Markup(plots.forest(points, w, title=MAIN)), f"{w.slice(slice_name)}, nDCG@10: {text}")  # noqa: S704

    def _shown_role(self, run: str, shown: Figure) -> Role:
        role = self.role(run)
        return "few" if shown.queries < FEW else role

    def differences(self) -> list[tuple[str, list[Comparison], Plot]]:
        """Comparisons by measure and slice, drawn, the main measure first: (heading, comparisons, plot)."""
        w, made = self.w, []
        tables: dict[tuple[str, str], list[Comparison]] = {}
        for c in self.dataset.comparisons:
            tables.setdefault((c.slice, c.measure), []).append(c)
        for (slice_name, measure), rows in sorted(tables.items(), key=lambda t: (t[0][1] != MAIN, t[0][1])):
            first = rows[0].first if len({c.first for c in rows}) == 1 else ""
            points = [
                plots.Point(
                    label=w.run(c.second) if first else f"{w.run(c.first)} − {w.run(c.second)}",
                    mean=c.difference, low=c.low, high=c.high,
                    role="focus" if c.p_corrected < SIGNIFICANT and c.difference > 0
                    else "rival" if c.p_corrected < SIGNIFICANT else "other",
                )
                for c in rows
            ]  # fmt: skip
            text = "; ".join(
                f"{w.run(c.first)} − {w.run(c.second)} {w.difference(c.difference)} ({w.interval(c.low, c.high)})"
                for c in rows
            )
            title = w(_("chênh lệch %(measure)s"), measure=measure)
            heading = f"{measure}, {w.slice(slice_name)}"
            if first:
                heading += ": " + w(_("%(run)s trừ …"), run=w.run(first))
            made.append((heading, rows, Plot(Markup(plots.forest(points, w, title=title, zero=True)), text)))  # noqa: S704
        return made

    def rows(self) -> list[tuple[str, list[Row], int]]:
        """Slices in groups: (heading, rows, how many more there are)."""
        present = dict.fromkeys(s for r in self.dataset.runs for s in r.figures)
        groups = [("", [s for s in present if ":" not in s])]
        for family in dict.fromkeys(s.partition(":")[0] for s in present if ":" in s):
            members = [s for s in present if s.startswith(f"{family}:")]
            members.sort(key=lambda s: (s.partition(":")[2] in REST, -figure(self.focus, s).queries, s))
            if members[0].partition(":")[2] not in REST:
                groups.append((self.w(FAMILY_NAMES.get(family, family)), members))
        top = max(
            (v for _n, codes in groups for s in codes[:SHOWN] for r in (self.focus, self.rival)
             for v in (figure(r, s).high, figure(r, s).mean) if math.isfinite(v)),
            default=1.0,
        )  # fmt: skip
        made = []
        for heading, codes in groups:
            shown = codes if not heading else [s for s in codes if figure(self.focus, s).queries][:SHOWN]
            if shown:
                made.append((heading, [self._row(s, top) for s in shown], len(codes) - len(shown)))
        return made

    def _row(self, code: str, top: float) -> Row:
        mine, theirs = figure(self.focus, code), figure(self.rival, code)
        few = max(mine.queries, theirs.queries) < FEW
        pair: list[tuple[float, float, float, Role]] = [(mine.mean, mine.low, mine.high, "few" if few else "focus")]
        if self.rival is not None:
            pair.append((theirs.mean, theirs.low, theirs.high, "few" if few else "rival"))
        difference, shade = mine.mean - theirs.mean, ""
        if math.isfinite(difference) and not few:
            depth = min(abs(difference) / 0.1, 1.0)
            if depth >= 0.05:
                shade = f"{'more' if difference > 0 else 'less'}-{math.ceil(SHADES * depth)}"
        drawn = Markup(plots.strip(pair, low=0, high=top))  # noqa: S704 - numbers only
        return Row(code, self.w.slice(code), mine, theirs, few, shade, drawn)

    def audit_bars(self) -> list[tuple[str, str, Plot | None]]:
        """Shares of top-ten places by home country, kind and size: (heading, remark, plot)."""
        w = self.w
        if self.focus is None:
            return []
        parts: tuple[tuple[str, Callable[[Audit], Mapping[str, float]], Callable[[str], str]], ...] = (
            (_("Theo nước của đối tác"), lambda a: a.home, w.country),
            (_("Theo loại hình đối tác"), lambda a: a.kind, w.kind),
            (_("Theo quy mô đối tác"), lambda a: a.size, w.size),
        )
        made: list[tuple[str, str, Plot | None]] = []  # drawings first
        for heading, shares, named in parts:
            mine = shares(self.focus.audit)
            theirs = shares(self.rival.audit) if self.rival is not None else {}
            every = sorted({*mine, *theirs}, key=lambda c: (-mine.get(c, 0.0), -theirs.get(c, 0.0), c))
            if not every:
                made.append((w(heading), w(_("Không có số liệu.")), None))
            elif len(every) == 1:
                told = w(_("Mọi vị trí thuộc về một nhóm: %(name)s."), name=named(every[0]))
                made.append((w(heading), told, None))
            else:
                made.append((w(heading), "", self._bars(every, mine, theirs, named)))
        return sorted(made, key=lambda part: part[2] is None)

    def _bars(
        self, every: Sequence[str], mine: Mapping[str, float], theirs: Mapping[str, float], named: Callable[[str], str]
    ) -> Plot:
        w, rest = self.w, every[SHOWN - 2 :] if len(every) > SHOWN - 1 else []
        lines = [(named(c), mine.get(c, 0.0), theirs.get(c, 0.0)) for c in every if c not in rest]
        if rest:
            told = w(_("%(n)s nhóm khác"), n=w.whole(len(rest)))
            lines.append((told, sum(mine.get(c, 0.0) for c in rest), sum(theirs.get(c, 0.0) for c in rest)))
        drawn = []
        for label, a, b in lines:
            drawn.append(plots.Bar(label=label, share=a, role="focus"))
            if theirs:
                drawn.append(plots.Bar(label=label, share=b, role="rival"))
        text = "; ".join(f"{label} {w.share(a)}" + (f" / {w.share(b)}" if theirs else "") for label, a, b in lines)
        title = w(_("tỷ lệ vị trí trong mười đối tác đầu"))
        return Plot(Markup(plots.bars(drawn, w, title=title)), text)  # noqa: S704 - escaped by vl-convert

    def alarms(self) -> list[str]:
        """Names of the runs that show the same ten partners over and over."""
        return [self.w.run(s.run) for s in self.dataset.runs if s.audit.same_names]

    def calibrated(self) -> list[Scored]:
        """Runs with probabilities."""
        return [s for s in self.dataset.runs if s.calibration is not None and s.calibration.abstained is None]

    def abstained(self) -> list[tuple[str, str]]:
        """Why other runs give none: (names of the runs, reason)."""
        reasons: dict[str, list[str]] = {}
        for s in sorted(self.dataset.runs, key=lambda s: s is not self.focus):
            if s.calibration is not None and s.calibration.abstained is not None:
                reasons.setdefault(s.calibration.abstained, []).append(self.w.run(s.run))
        several = self.w(_("%(n)s cách xếp hạng khác"))
        return [
            (", ".join(names) if len(names) <= 3 else several % {"n": self.w.whole(len(names))}, reason)
            for reason, names in reasons.items()
        ]

    def reliability(self, found: Reliability) -> Plot | None:
        """The reliability diagram of a slice; None without bins."""
        w = self.w
        bins = [b for b in found.bins if all(map(math.isfinite, (b.predicted, b.observed, b.low, b.high)))]
        if not bins:
            return None
        drawn = plots.reliability(
            bins, w, x_title=w(_("xác suất được nêu")), y_title=w(_("tỷ lệ thành thương vụ thật")),
            perfect=w(_("nếu luôn đúng")),
        )  # fmt: skip
        text = "; ".join(
            w(_("nêu %(said)s, thật %(came)s"), said=w.figure(b.predicted), came=w.figure(b.observed)) for b in bins
        )
        return Plot(Markup(drawn), text)  # noqa: S704 - escaped by vl-convert

    def abstention(self, points: Sequence[tuple[float, float]]) -> Plot | None:
        """Quality against the share answered; None with fewer than two points."""
        w = self.w
        if sum(math.isfinite(y) for _x, y in points) < 2:
            return None
        drawn = plots.curve(points, w, x_title=w(_("tỷ lệ truy vấn được trả lời")), y_title=MAIN)
        text = "; ".join(f"{w.share(x)}: {w.figure(y)}" for x, y in points)
        return Plot(Markup(drawn), text)  # noqa: S704 - numbers only

    def distribution(self) -> tuple[Plot, str] | None:
        """How nDCG@10 is spread over the queries, and who wins how often; None without queries."""
        w, series = self.w, [s for s in (self.focus, self.rival) if s is not None and s.per_query.get(self.main)]
        if not series or self.focus not in series:
            return None
        labels = ["0", *(f"≤ {w.figure(i / 10, 1)}" for i in range(1, 11))]
        labels[-1] = "≤ 1"
        drawn, told = [], []
        for s in series:
            values = [v for v in s.per_query[self.main].values() if math.isfinite(v)]
            counts = [0] * len(labels)
            for v in values:
                counts[0 if v <= 0 else min(math.ceil(v * 10 - 1e-9), 10)] += 1
            drawn += [
                plots.Bar(label=t, share=n / max(len(values), 1), role=self.role(s.run))
                for t, n in zip(labels, counts, strict=True)
            ]
            told.append(
                w(
                    _("%(run)s: ở %(none)s trong %(n)s truy vấn không có đối tác đúng nào trong mười đối tác đầu"),
                    run=w.run(s.run), none=w.whole(counts[0]), n=w.whole(len(values)),
                )
            )  # fmt: skip
        title, x_title = w(_("tỷ lệ truy vấn")), w(_("nDCG@10 của từng truy vấn"))
        plot = Plot(Markup(plots.columns(drawn, w, title=title, x_title=x_title)), "; ".join(told))  # noqa: S704
        sentence = "; ".join(told) + "."
        if len(series) == 2:
            mine, theirs = (s.per_query[self.main] for s in series)
            both = [mine[q] - theirs[q] for q in sorted(mine) if q in theirs]
            sentence += " " + w(
                _("%(first)s hơn ở %(more)s truy vấn, bằng ở %(same)s, kém ở %(less)s so với %(second)s."),
                first=w.run(series[0].run), second=w.run(series[1].run), more=w.whole(sum(d > 1e-12 for d in both)),
                same=w.whole(sum(abs(d) <= 1e-12 for d in both)), less=w.whole(sum(d < -1e-12 for d in both)),
            )  # fmt: skip
        return plot, sentence

    def check_strip(self, check: Check) -> Markup:
        """Where the value of a check lies against its bounds."""
        return Markup(plots.allowed(check.value, check.low, check.high, passed=check.passed))  # noqa: S704 - numbers


class Overall:
    """All datasets with runs beside each other."""

    def __init__(self, views: Sequence[View]) -> None:
        self.views = [v for v in views if v.dataset.runs]
        self.runs = list(dict.fromkeys(s.run for v in self.views for s in v.dataset.runs))
        self.columns = [(v, s) for v in self.views for s in v.slices]

    def figure(self, run: str, view: View, slice_name: str) -> Figure:
        """A run's nDCG@10 on a slice of a dataset."""
        return figure(next((s for s in view.dataset.runs if s.run == run), None), slice_name)

    def leads(self, run: str, view: View, slice_name: str) -> bool:
        """The run is the best of its column."""
        top = view.best(slice_name)
        return top is not None and top.run == run
