#!/usr/bin/env python3
"""Second opinions on cron expressions: second_opinion.py RUNBOOK [CASES]

Compares `runbook schedule next` with croniter and cronsim, both from PyPI, in UTC, where no clock is changed. Only expressions
on which the libraries agree with crontab(5) by design are asked: croniter and cronsim take the day fields as Debian does, but
know further syntax that Debian does not.
"""

import json
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone

from croniter import croniter
from cronsim import CronSim

FIELDS = [(0, 59, 6), (0, 23, 3), (1, 31, 2), (1, 12, 2), (0, 6, 2)]


def part(low, high):
    first = random.randint(low, high - 1)
    # A range of one value, as 5-5/4, is something else to the two libraries.
    last = random.randint(first + 1, high)
    return random.choice([str(first), str(first), f"{first}-{last}", f"{first}-{last}/{random.randint(1, 5)}"])


def field(low, high, stars):
    if random.randrange(stars) == 0:
        return random.choice(["*", "*", f"*/{random.randint(1, high)}"])
    return ",".join(part(low, high) for _ in range(random.choice([1, 1, 1, 2, 3])))


def main():
    random.seed(5)
    program, cases = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    questions = []
    for number in range(cases):
        start = datetime(2020, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=random.randrange(18 * 525600))
        cron = " ".join(field(*limits) for limits in FIELDS)
        questions.append({"id": number, "cron": cron, "zone": "UTC", "from": start.isoformat(), "limit": 5})
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    output = subprocess.run([program, "schedule", "next", "--json"], input=lines, capture_output=True, text=True, check=True)
    compared, differences = 0, 0
    for question, line in zip(questions, output.stdout.splitlines(), strict=True):
        answer = json.loads(line)
        if "error" in answer:
            assert answer["error"]["kind"] == "never", answer
            continue
        ours = [datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in answer["fires"]]
        before = datetime.fromisoformat(question["from"]) - timedelta(seconds=1)
        # A day that fits only the second time round is beyond what the two look ahead.
        if not ours or ours[-1].year > before.year + 25:
            continue
        simulated = CronSim(question["cron"], before)
        iterated = croniter(question["cron"], before, max_years_between_matches=60, implement_cron_bug=True)
        opinions = {"cronsim": [next(simulated) for _ in ours], "croniter": [iterated.get_next(datetime) for _ in ours]}
        compared += 1
        for name, theirs in opinions.items():
            if theirs != ours:
                differences += 1
                print(f"{name}: {question['cron']} from {question['from']}: {theirs} instead of {ours}")
    print(f"{compared} expressions compared, {differences} differences")
    sys.exit(1 if differences else 0)


main()
