#include "CPKCS11.h"  // a target needs a source file
