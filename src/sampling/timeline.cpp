#include "ergo/sampling/timeline.hpp"
