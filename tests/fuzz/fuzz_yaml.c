/* Reads any bytes as documents, and as settings: everything from YAML to records and hashes. */
#include "conf/document.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct diagnostics diagnostics = {0};
    struct document_list documents = {0};
    struct settings settings;
    char line[256];

    documents_read_text(text, slice_from("/etc/fuzz.yaml"), &documents, &diagnostics);
    documents_check_together(&documents, slice_from("https://gate.example.com"), &diagnostics);
    settings_document_read(text, slice_from("/etc/fuzz.yaml"), false, &settings, &documents,
                           &diagnostics);
    diagnostics_sort(&diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        diagnostic_format(&diagnostics.entries[i], line, sizeof(line));
    document_list_free(&documents);
    diagnostics_free(&diagnostics);
    return 0;
}
