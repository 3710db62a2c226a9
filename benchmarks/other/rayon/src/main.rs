//! The tree of benchmarks/scenarios/fork-join.mjs in rayon: a join for every call, and nothing computed without one.
//! Arguments: threads, size, samples. Prints µs a task, the median over the samples.

use std::time::Instant;

fn tree(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = rayon::join(|| tree(n - 1), || tree(n - 2));
    a + b
}

fn count(n: u32) -> u64 {
    if n < 2 { 1 } else { 1 + count(n - 1) + count(n - 2) }
}

fn main() {
    let arguments: Vec<u32> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let [threads, size, samples] = arguments[..] else {
        panic!("threads, size, samples");
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build().unwrap();
    let mut values: Vec<f64> = (0..samples + 2)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(pool.install(|| tree(std::hint::black_box(size))));
            start.elapsed().as_secs_f64() * 1e6 / count(size) as f64
        })
        .skip(2)
        .collect();
    values.sort_by(f64::total_cmp);
    println!("{}", values[values.len() / 2]);
}
