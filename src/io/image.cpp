#include "cytograd/io/image.h"
