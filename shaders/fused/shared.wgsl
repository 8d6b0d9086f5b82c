// Waits until all have written what others will read; a workgroup is one subgroup.
fn settle() { subgroupBarrier(); }
