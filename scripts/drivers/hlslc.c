/* Compiles every .hlsl of a folder by Microsoft's compilers, without a device: hlslc fxc|dxc FOLDER
 *
 * The first line of each file names the entry point, as in "//forward". Prints a line for each file: "ok FILE MILLISECONDS" or
 * "FAIL FILE MESSAGE". d3dcompiler_47.dll or dxcompiler.dll lies beside the program. Flags are those of wgpu-hal 30.
 *
 * Build: x86_64-w64-mingw32-gcc -O1 -o hlslc.exe hlslc.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* The methods of a COM object that are called here, by their places in its table. */
#define METHOD(object, place) ((*(void ***)(object))[place])

typedef HRESULT(WINAPI *Fxc)(const void *, SIZE_T, const char *, const void *, void *, const char *, const char *, UINT, UINT,
                             void **, void **);
typedef HRESULT(WINAPI *Create)(const GUID *, const GUID *, void **);
typedef struct {
    const void *bytes;
    SIZE_T size;
    UINT encoding;
} Source;
typedef HRESULT(WINAPI *Compile)(void *, Source *, const wchar_t **, UINT, void *, const GUID *, void **);

static const GUID COMPILER = {0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
static const GUID COMPILER3 = {0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
static const GUID RESULT = {0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};

static const char *text_of(void *blob) {
    if (!blob || !((SIZE_T(WINAPI *)(void *))METHOD(blob, 4))(blob)) return "";
    return ((const char *(WINAPI *)(void *))METHOD(blob, 3))(blob);
}

/* What is wrong, or NULL. */
static const char *by_fxc(Fxc compile, const char *text, size_t size, const char *entry) {
    const UINT strict = 0x800;
    void *code = NULL, *said = NULL;
    HRESULT result = compile(text, size, "kernel", NULL, NULL, entry, "cs_5_1", strict, 0, &code, &said);
    return FAILED(result) ? text_of(said) : NULL;
}

static const char *by_dxc(void *compiler, const char *text, size_t size, const char *entry) {
    wchar_t wide[200];
    mbstowcs(wide, entry, 200);
    const wchar_t *flags[] = {L"-E", wide, L"-T", L"cs_6_0", L"-HV", L"2018", L"-no-warnings", L"-Ges"};
    Source source = {text, size, 65001};
    void *result = NULL, *said = NULL;
    HRESULT status = ((Compile)METHOD(compiler, 3))(compiler, &source, flags, 8, NULL, &RESULT, &result);
    if (FAILED(status)) return "the compiler itself failed";
    ((HRESULT(WINAPI *)(void *, HRESULT *))METHOD(result, 3))(result, &status);
    if (SUCCEEDED(status)) return NULL;
    ((HRESULT(WINAPI *)(void *, void **))METHOD(result, 5))(result, &said);
    return text_of(said);
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    text[fread(text, 1, *size, file)] = 0;
    fclose(file);
    return text;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    int dxc = !strcmp(words[1], "dxc");
    HMODULE library = LoadLibraryA(dxc ? "dxcompiler.dll" : "d3dcompiler_47.dll");
    if (!library) {
        fprintf(stderr, "no library: error %lu\n", GetLastError());
        return 2;
    }
    Fxc fxc = (Fxc)(void *)GetProcAddress(library, "D3DCompile");
    void *compiler = NULL;
    if (dxc) {
        Create create = (Create)(void *)GetProcAddress(library, "DxcCreateInstance");
        if (FAILED(create(&COMPILER, &COMPILER3, &compiler))) return 2;
    }
    char pattern[900];
    snprintf(pattern, sizeof pattern, "%s\\*.hlsl", words[2]);
    WIN32_FIND_DATAA found;
    HANDLE files = FindFirstFileA(pattern, &found);
    if (files == INVALID_HANDLE_VALUE) return 2;
    int failed = 0;
    do {
        char path[900], entry[200] = "";
        size_t size = 0;
        snprintf(path, sizeof path, "%s\\%s", words[2], found.cFileName);
        char *text = read_file(path, &size);
        if (!text || sscanf(text, "//%199s", entry) != 1) return 2;
        DWORD begin = GetTickCount();
        const char *wrong = dxc ? by_dxc(compiler, text, size, entry) : by_fxc(fxc, text, size, entry);
        if (wrong) {
            failed = 1;
            printf("FAIL %s %.*s\n", found.cFileName, (int)strcspn(wrong, "\r\n"), wrong);
        } else {
            printf("ok %s %lu\n", found.cFileName, GetTickCount() - begin);
        }
        fflush(stdout);
        free(text);
    } while (FindNextFileA(files, &found));
    return failed;
}
