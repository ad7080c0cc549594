/* Tells libFuzzer which ways an input takes through a twin: gcc calls __sanitizer_cov_trace_pc in every block of code,
   libFuzzer wants a counter for every place. A place is the distance of the block from this function, so it is the same
   in every run. The table of addresses is empty: libFuzzer insists that there is one. */

#include <stdint.h>

enum { PLACES = 1 << 15 };

static uint8_t counters[PLACES];
static uintptr_t addresses[2 * PLACES];

void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *end);
void __sanitizer_cov_pcs_init(const uintptr_t *start, const uintptr_t *end);

__attribute__((visibility("hidden"))) void
__sanitizer_cov_trace_pc(void)
{
    uintptr_t here = (uintptr_t)__builtin_return_address(0) - (uintptr_t)&__sanitizer_cov_trace_pc;

    counters[here % PLACES]++;
}

__attribute__((constructor)) static void
begin(void)
{
    __sanitizer_cov_8bit_counters_init(counters, counters + PLACES);
    __sanitizer_cov_pcs_init(addresses, addresses + 2 * PLACES);
}
