"""``python -m bayes_bnsl``: the command line."""

from bayes_bnsl.cli import main

if __name__ == "__main__":
    main()
