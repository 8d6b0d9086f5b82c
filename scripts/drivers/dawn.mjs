// Compiles WGSL with Dawn, the WebGPU of Chromium: node dawn.mjs FOLDER-WITH-NODE_MODULES FOLDER-OF-WGSL
//
// Dawn takes no Mesa before 25; the test gives it SwiftShader by
// VK_DRIVER_FILES.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , modules, folder] = process.argv;
const webgpu = path.resolve(modules, 'node_modules/webgpu/index.js');
const { create, globals } = await import(pathToFileURL(webgpu).href);
Object.assign(globalThis, globals);

// Dawn ends with its instance, which must not be collected.
const gpu = create(['backend=vulkan']);
const adapter = await gpu.requestAdapter();
if (!adapter) {
    console.log('Dawn finds no adapter: name one by VK_DRIVER_FILES');
    process.exit(1);
}
const limits = ['maxStorageBuffersPerShaderStage', 'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupStorageSize'];
const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has('subgroups') ? ['subgroups'] : [],
    requiredLimits: Object.fromEntries(limits.map((limit) => [limit, adapter.limits[limit]])),
});

let refused = 0;
const files = fs.readdirSync(folder).filter((file) => file.endsWith('.wgsl')).sort();
for (const file of files) {
    const code = fs.readFileSync(path.join(folder, file), 'utf8');
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const messages = (await module.getCompilationInfo()).messages.filter((message) => message.type === 'error');
    const said = messages.map((message) => `${message.lineNum}:${message.linePos} ${message.message}`);
    await device.popErrorScope();
    if (said.length > 0) {
        refused += 1;
        console.log(`FAIL ${file}\n    ${said.join('\n    ')}`);
    }
}
console.log(`${files.length - refused} of ${files.length} taken by Dawn`);
process.exit(refused > 0 || files.length === 0 ? 1 : 0);
