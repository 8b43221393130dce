// libFuzzer's way into Fuzz/Targets: a Swift program would bring a main of its own.
#include <stddef.h>
#include <stdint.h>

int martlet_fuzz_client(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return martlet_fuzz_client(data, size); }
