#include "ergo/sampling/sampler.hpp"
