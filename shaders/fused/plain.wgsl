// Waits until all have written what others will read.
fn settle() {
    storageBarrier();
    workgroupBarrier();
}
