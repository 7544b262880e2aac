"""Reports: one page about trained runs, with all figures."""

from keras_mixvit._start import is_command

# The command imports what it runs, and nothing to print its help.
if not is_command():
    from keras_mixvit.report._write_report import write_report

__all__ = ["write_report"]
