// Waits until all invocations have written what others will read; a workgroup is one subgroup. Not standard WGSL but naga's
// own: chosen only if wgpu offers SUBGROUP_BARRIER, which no browser does.
fn settle() { subgroupBarrier(); }
