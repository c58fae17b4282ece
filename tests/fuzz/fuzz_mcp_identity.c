/* Any JSON: its one spelling is JSON, and the spelling of itself. */
#include "worker/mcp_identity.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct buffer once = {0}, twice = {0};
    char identity[DIGEST_HEX_SIZE + 1];
    struct mcp_result result;
    struct json_value value;
    const char *reason;

    if (json_parse(text, &value, &reason) == 0 && mcp_identity_spell(&once, &value) == 0) {
        if (json_parse(buffer_slice(&once), &value, &reason) != 0 ||
            mcp_identity_spell(&twice, &value) != 0 ||
            !slice_equal(buffer_slice(&once), buffer_slice(&twice)))
            abort();
    }
    if (mcp_result_read(text, &result))
        (void)mcp_identity_of(&result, identity);
    buffer_free(&once);
    buffer_free(&twice);
    return 0;
}
