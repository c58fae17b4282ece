/* Any bytes as the specification of a role: what is accepted is recorded, read again, and compiled.
 */
#include "conf/document.h"
#include "shared/policy.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compile(const struct role_sides *sides)
{
    struct policy_record records[2];
    struct policy_set *set;
    size_t count = 0;
    int status;

    for (int deny = 0; deny < 2; deny++)
        if (sides->has[deny])
            records[count++] = sides->records[deny];
    status = policy_set_make(&set, records, count);
    if (status == -ENOMEM)
        return;
    if (status != 0)
        abort();
    policy_lists(set, POLICY_TOOL, slice_from("get_sum"));
    policy_set_release(set);
}

static void look(const struct document *document)
{
    struct role_sides decoded;
    struct buffer bytes = {0};
    void *owned[2];

    if (document->kind != DOCUMENT_ROLE || document->state != DOCUMENT_GOOD)
        return;
    if (role_sides_encode(&document->role, &bytes) != 0 ||
        role_sides_decode(buffer_slice(&bytes), &decoded, owned) != 0 ||
        !role_sides_choose_alike(&document->role, &decoded))
        abort();
    compile(&decoded);
    free(owned[0]);
    free(owned[1]);
    buffer_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "version: v1\nkind: role\nmetadata: {name: r}\nspec:\n";
    struct diagnostics diagnostics = {0};
    struct document_list documents = {0};
    struct buffer text = {0};

    if (buffer_append(&text, head, sizeof(head) - 1) == 0 && buffer_append(&text, data, size) == 0)
        documents_read_text(buffer_slice(&text), slice_from("/etc/fuzz.yaml"), &documents,
                            &diagnostics);
    for (size_t i = 0; i < documents.count; i++)
        look(&documents.documents[i]);
    document_list_free(&documents);
    diagnostics_free(&diagnostics);
    buffer_free(&text);
    return 0;
}
