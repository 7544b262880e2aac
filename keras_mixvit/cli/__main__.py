"""`python -m keras_mixvit.cli`."""

import sys

from keras_mixvit.cli._main import main

if __name__ == "__main__":
    sys.exit(main())
