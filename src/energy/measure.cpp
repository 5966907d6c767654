#include "ergo/energy/measure.hpp"
