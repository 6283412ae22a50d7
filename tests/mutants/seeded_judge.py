# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the judge's statistics, which decides who is rolled back."""

from __future__ import annotations

from seeded import Mutant, of

JUDGE = "plugins/module_utils/judge/"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "11 judge: no data is a pass",
        JUDGE + "decide.py",
        "return Finding(NO_DATA if progress.final else WAIT",
        'return Finding("pass" if progress.final else WAIT',
    ),
    Mutant(
        "11 judge: silence is not noticed",
        JUDGE + "decide.py",
        "if silence <= max(progress.window / 2, LEAST_SILENCE):",
        "if silence:",
    ),
    Mutant("11 judge: what is missing is outweighed", JUDGE + "score.py", "if missing:", "if missing and best < 50:"),
    Mutant(
        "judge: a dry run decides", JUDGE + "decide.py", "finding.verdict, not metric.dry_run", "finding.verdict, True"
    ),
    Mutant("judge: critical is a word", JUDGE + "score.py", "if result.critical and", "if not result.critical and"),
    Mutant("judge: proof is not needed", JUDGE + "compare.py", "any(test.p <= needed for", "any(test.p <= 0.5 for"),
    Mutant(
        "judge: hosts are all alike",
        JUDGE + "hosts.py",
        "return deviation**2 * (1 / canary + 1 / baseline)",
        "return 0.0",
    ),
    Mutant(
        "judge: only one direction",
        JUDGE + "compare.py",
        "case.given, side == DECREASE)",
        "case.given, False)",
    ),
    Mutant(
        "judge: clumps count in full",
        JUDGE + "clumps.py",
        "return max(1.0, (BELIEVED_FREEDOM",
        "return min(1.0, (BELIEVED_FREEDOM",
    ),
    Mutant(
        "judge: one burst marks a version bad",
        JUDGE + "comparisons.py",
        "if len(bad) < LEAST_INTERVALS:",
        "if not bad:",
    ),
    Mutant(
        "judge: a larger share is growth",
        JUDGE + "values.py",
        "if each.load and abs(math.log(each.load / now)) <= math.log(SAME_LOAD)]",
        "]",
    ),
    Mutant(
        "judge: hosts that differ for good are growth",
        JUDGE + "values.py",
        "common = of_hosts * sum(each / part for each, part in zip(shape, parts)) / together if together else 0.0",
        "common = 0.0",
    ),
    Mutant(
        "judge: a leak of all hosts is that of one",
        JUDGE + "comparisons.py",
        "self._began if self._grows() else None",
        "None",
    ),
    Mutant(
        "judge: nobody knows where a line begins",
        JUDGE + "comparisons.py",
        "[*earlier, *warming, *self._here]",
        "[*earlier, *self._here]",
    ),
    Mutant(
        "judge: what hosts drift is growth",
        JUDGE + "values.py",
        "+ between.known * whole + drift",
        "+ between.known * whole",
    ),
    Mutant(
        "judge: what hosts drift counts twice",
        JUDGE + "values.py",
        "max(0.0, between.variance - drift * statistics.fmean(shape) ** 2)",
        "between.variance",
    ),
    Mutant(
        "judge: a quiet interval of latencies counts like a busy one",
        JUDGE + "values.py",
        "[(1 + each / usual) / 2 for each in found]",
        "[1.0 for dummy in found]",
    ),
    Mutant(
        "judge: a leak whose latest figures scatter has passed",
        JUDGE + "comparisons.py",
        "statistics.fmean(latest) <= math.log(tolerated)",
        "statistics.median(latest) <= math.log(tolerated)",
    ),
    Mutant(
        "judge: mean and trend take the whole chance each",
        JUDGE + "comparisons.py",
        "OF_MEAN, OF_TREND = 0.3, 0.9",
        "OF_MEAN, OF_TREND = 1.0, 1.0",
    ),
    Mutant(
        "judge: a delay that was asked for counts for a trend",
        JUDGE + "decide.py",
        "warming = warming if metric.delay is None else ()",
        "warming = [*warming]",
    ),
    Mutant(
        "judge: what earlier gates measured is forgotten",
        JUDGE + "decide.py",
        "= History(earlier, past)",
        "= History((), past)",
    ),
    Mutant(
        "judge: what is not suspect spends what is kept for waiting",
        JUDGE + "spending.py",
        "before = _suspects(before)",
        "pass",
    ),
    Mutant(
        "judge: most of the chance is spent at the beginning",
        JUDGE + "spending.py",
        "math.expm1(self.late * time) / math.expm1(self.late)",
        "math.expm1(-self.late * time) / math.expm1(-self.late)",
    ),
    Mutant(
        "judge: cells in which nothing is expected deny clumps",
        JUDGE + "clumps.py",
        "2 * each * level / (2 * each * level + 1) for",
        "1.0 for",
    ),
    Mutant(
        "judge: a quiet interval counts like a busy one",
        JUDGE + "paired.py",
        "return canary * baseline / (canary + baseline)",
        "return 1.0",
    ),
    Mutant(
        "judge: every poll may spend the whole chance",
        JUDGE + "spending.py",
        "allowed = budget.spent(at) - before.spent",
        "allowed = budget.chance",
    ),
    Mutant(
        "judge: one figure may say anything",
        JUDGE + "bounded.py",
        "min(max(off, -bound), bound) / KEPT",
        "off",
    ),
    Mutant(
        "judge: two outliers of three are usual",
        JUDGE + "bounded.py",
        "[*unchanged, *values[first",
        "[*values[first",
    ),
    Mutant(
        "judge: the noise of other loads is known",
        JUDGE + "values.py",
        "others.freedom / thinner**2",
        "others.freedom",
    ),
    Mutant(
        "judge: a host's own past is forgotten",
        JUDGE + "values.py",
        "(logarithm(value) - levels.get(host, unknown).mean)",
        "(logarithm(value) - unknown.mean)",
    ),
    Mutant(
        "judge: ties are won",
        JUDGE + "ranks.py",
        "bisect.bisect_left(other, value / allowed) +",
        "bisect.bisect_right(other, value / allowed) +",
    ),
    Mutant(
        "judge: the orders of hosts are miscounted",
        JUDGE + "ranks.py",
        "_log_expm1(slope * (many + each)) - ",
        "_log_expm1(slope * (many + each - 0.1)) - ",
    ),
    Mutant(
        "judge: a baseline of another time",
        JUDGE + "proportions.py",
        "worse += split.worse_bad * split.other_requests / whole",
        "worse += split.worse_bad * split.other_requests / len(data)",
    ),
    *of(
        JUDGE + "decide.py",
        ("judge: every metric spends the whole budget", "/ max(1, sum(tests(metric) for metric in metrics))", "/ 1"),
        ("judge: every gate spends the whole budget", "policy.false_stop / policy.gates /", "policy.false_stop /"),
        ("judge: both sides for the price of one", "sides = 2 if metric.direction == EITHER else 1", "sides = 1"),
        ("judge: a dry run spends budget", "    if metric.dry_run:\n        return 0\n", ""),
        (
            "judge: the start counts",
            "since = progress.began + delay if delay else -math.inf",
            "since = -math.inf",
        ),
        (
            "11 judge: silence at the end is good news",
            "if silence <= max(progress.window / 2, LEAST_SILENCE):",
            "if silence <= progress.window * 100:",
        ),
        ("11 judge: too little is enough", "if amount < metric.minimum:", "if amount < 0:"),
        (
            "11 judge: errors without end",
            "if allowed is not None and len(failed) > allowed:",
            "if allowed is not None and len(failed) > allowed * 9:",
        ),
        (
            "judge: what may be ignored decides",
            "decides = decides and metric.on_no_data != IGNORE",
            "decides = decides",
        ),
    ),
    *of(
        JUDGE + "compare.py",
        ("judge: one host is the release", "if is_proven and where == SPREAD:", "if is_proven and where:"),
        (
            "judge: tolerance is not given",
            "    if side == INCREASE:\n        return 1 + tolerance",
            "    if side == INCREASE:\n        return 1.0",
        ),
        (
            "judge: suspicion passes",
            "return Judged(INCONCLUSIVE if is_suspect and where != PAST else PASS, test.p, needed, spent)",
            "return Judged(PASS, test.p, needed, spent)",
        ),
        (
            "judge: before the end it is over",
            "    if not case.final:\n        return Judged(WAIT, test.p, needed, spent)\n",
            "",
        ),
        (
            "judge: a fall is a rise",
            "findings.append(_held(case, bounds, DECREASE, 1 / bounds.low))",
            "findings.append(_held(case, bounds, DECREASE, bounds.low))",
        ),
        (
            "judge: only one bound is held",
            "    if bounds.high is not None:\n        findings",
            "    if bounds.high is None:\n        findings",
        ),
        ("judge: what is suspect stops beside the budget", "return needed", "return case.chance"),
    ),
    *of(
        JUDGE + "proportions.py",
        ("judge: intervals of one group only count", "if canary[0] and baseline[0]:", "if canary[0] or baseline[0]:"),
        (
            "judge: dispersion is forgotten",
            "trials = whole / dispersion\n",
            "trials, dispersion = whole, 1.0\n",
        ),
        ("judge: the variance between hosts is forgotten", "deviation = math.sqrt(variance)", "deviation = 0.0"),
        (
            "judge: a tail is half",
            "return sum(tails) / 2",
            "return sum(tails) / 3",
        ),
        ("judge: a host is left out of nothing", "if host != without)", "if host == host)"),
        (
            "judge: the ratio is upside down",
            "return worse / other if other else math.inf",
            "return other / worse if worse else math.inf",
        ),
        ("judge: an impossible failure is possible", "    if bad > 0 and limit <= 0:\n        return math.inf\n", ""),
    ),
    *of(
        JUDGE + "ranks.py",
        (
            "judge: ties are victories",
            "bisect.bisect_right(other, value / allowed)",
            "bisect.bisect_left(other, value / allowed)",
        ),
        (
            "judge: the allowed ratio is turned round",
            "bisect.bisect_left(other, value / allowed) +",
            "bisect.bisect_left(other, value * allowed) +",
        ),
        (
            "judge: an untempered mean",
            "gains[place] += slope * pairs - mean",
            "gains[place] += slope * pairs - mean / 2",
        ),
        (
            "judge: ranks vary less",
            "return worse * other * (worse + other + 1) / 12",
            "return worse * other * (worse + other + 1) / 24",
        ),
    ),
    *of(
        JUDGE + "hosts.py",
        (
            "judge: hosts are alike",
            "variance, weight = belief * believed**2, float(belief)",
            "variance, weight = 0.0, float(belief)",
        ),
        (
            "judge: what is seen of hosts is not believed",
            "variance += spread.freedom * reliability**2 * spread.between",
            "variance += 0.0 * reliability * spread.between",
        ),
        (
            "judge: correlation in time is forgotten",
            "temper = (1 - spread.correlation) / (1 + spread.correlation)",
            "temper = 1.0",
        ),
        (
            "judge: one host is as good as ten",
            "return deviation**2 * (1 / canary + 1 / baseline)",
            "return deviation**2 * (1 / baseline)",
        ),
        ("judge: freedom is counted too high", "        freedom = len(hosts) - 1\n", "        freedom = len(hosts)\n"),
    ),
    *of(
        JUDGE + "score.py",
        (
            "judge: nothing judged is a pass",
            'return Verdict(NOT_JUDGED, "There is no metric to judge by.", results, None)',
            'return Verdict(PASS, "There is no metric to judge by.", results, None)',
        ),
        (
            "judge: dry runs alone are a pass",
            "        return Verdict(NOT_JUDGED, reason, results, None)",
            "        return Verdict(PASS, reason, results, None)",
        ),
        ("judge: a low score passes", "if final < policy.pass_score:", "if final < policy.marginal_score:"),
        ("judge: what is open passes", "    if open_ones:\n", "    if not open_ones:\n"),
        (
            "judge: it ends before its time",
            "    if not progress.final:\n        so_far",
            "    if progress.final:\n        so_far",
        ),
        (
            "judge: weights do not count",
            "weights = {name: policy.groups.get(name, whole)",
            "weights = {name: policy.groups.get(name, 1.0)",
        ),
    ),
    *of(
        JUDGE + "limits.py",
        ("judge: one failure more is allowed", "bad > metric.max_failures:", "bad > metric.max_failures + 1:"),
        ("judge: a row is never broken", "row = 0 if each else row + 1", "row = row if each else row + 1"),
        ("judge: a limit is proven at once", ">= -math.log(case.chance):", ">= 0.5:"),
        ("judge: only the upper limit counts", "return max(above, below)", "return above"),
        (
            "judge: without figures within the limit",
            "if figure is not None and limit.holds(figure):",
            "if figure is None or limit.holds(figure):",
        ),
    ),
    *of(
        JUDGE + "conditions.py",
        ("a fraction above one", "if fraction is None or fraction > 1:", "if fraction is None:"),
        ("a range that holds nothing", "low >= high:", "low > high + 1e9:"),
        (
            "percent of nothing",
            '    if suffix == "%" and unit == "":\n        return number / 100',
            '    if suffix == "%" and unit == "":\n        return number',
        ),
        ("within is twice as wide", "part = float(within.group(1)) / 100", "part = float(within.group(1)) / 50"),
        ("the bound itself never holds", 'match.group(1).endswith("=")', "False"),
    ),
)
