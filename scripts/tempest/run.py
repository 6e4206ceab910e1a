"""Runs tests of Tempest, and prints one line of JSON for each.

run.py PART OF WORDS...: part 0 or 1 of 2, say. A test is run when its name contains one of the words, or when there are none.
All tests of a class are in one part: they share what the class made.
"""

import importlib
import json
import os
import sys
import unittest

# Tempest logs on standard output, where our lines go.
lines = sys.stdout
sys.stdout = sys.stderr

SUITES = ('tempest.api.volume', 'tempest.api.image.v2', 'cinder_tempest_plugin.api')


class Report(unittest.TestResult):
    """What became of each test, and of the set-up of classes, whose tests then never begin."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def note(self, test, outcome, reason=''):
        # A subtest or the clean-up that fails makes the test a failure, whatever it was before.
        if self.outcomes.get(test.id(), ('passed',))[0] != 'failed':
            self.outcomes[test.id()] = (outcome, reason)

    # Arguments as testtools calls them, which has details instead of an error.
    def addSuccess(self, test, details=None):
        self.note(test, 'passed')

    def addSkip(self, test, reason=None, details=None):
        self.note(test, 'skipped', reason or text_of(details))

    def addError(self, test, err=None, details=None):
        self.note(test, 'failed', self._exc_info_to_string(err, test) if err else text_of(details))

    addFailure = addError

    def addExpectedFailure(self, test, err=None, details=None):
        self.note(test, 'passed')

    def addUnexpectedSuccess(self, test, details=None):
        self.note(test, 'failed', 'Expected to fail, and passed')


def text_of(details):
    parts = ((name, detail) for name, detail in (details or {}).items() if 'pythonlogging' not in name)
    return '\n'.join(detail.as_text() for _, detail in parts if detail.content_type.type == 'text')


def tests_by_class():
    classes = {}
    for suite in SUITES:
        folder = os.path.dirname(importlib.import_module(suite).__file__)
        top = folder
        for _ in suite.split('.'):
            top = os.path.dirname(top)
        for test in flat(unittest.TestLoader().discover(folder, 'test_*.py', top)):
            classes.setdefault(unittest.util.strclass(type(test)), []).append(test)
    return classes


def flat(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


def run(tests):
    report = Report()
    unittest.TestSuite(tests).run(report)
    of_class = [outcome for name, outcome in report.outcomes.items() if name.startswith(('setUpClass', 'tearDownClass'))]
    for test in tests:
        outcome, reason = report.outcomes.get(test.id(), of_class[0] if of_class else ('failed', 'Never ran'))
        # `[id-…,smoke]` behind the name says nothing more.
        name = test.id().split('[')[0]
        print(json.dumps({'name': name, 'outcome': outcome, 'reason': reason}), file=lines, flush=True)


def main():
    part, of = int(sys.argv[1]), int(sys.argv[2])
    words = sys.argv[3:]
    for _, tests in sorted(tests_by_class().items())[part::of]:
        wanted = [test for test in tests if not words or any(word in test.id() for word in words)]
        if wanted:
            run(wanted)


main()
