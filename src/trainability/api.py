"""What a component of your own is made of: subclass one of these and name it `module:Class` in a configuration.

`docs/components.md` has the protocol of each and examples, `trainability check module:Class` tells whether yours keeps
it. Importing this module imports neither torch nor pandas.
"""

from trainability.activations import Activation
from trainability.datasets import Dataset, Splits
from trainability.generated import Synthetic
from trainability.initializers import Initializer
from trainability.maps import Map
from trainability.normalizations import Normalization
from trainability.normalizers import Normalizer, WeightStandardizer
from trainability.passes import Mode, accumulate
from trainability.preprocessing import Preprocessing
from trainability.raw_files import Published, Source

__all__ = [
    "Activation",
    "Dataset",
    "Initializer",
    "Map",
    "Mode",
    "Normalization",
    "Normalizer",
    "Preprocessing",
    "Published",
    "Source",
    "Splits",
    "Synthetic",
    "WeightStandardizer",
    "accumulate",
]
