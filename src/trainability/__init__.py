"""Which activation, initialisation, normalisation and preprocessing let a network train?"""

__version__ = "0.1.0"
