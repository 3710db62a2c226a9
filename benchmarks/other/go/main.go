// The tree of benchmarks/scenarios/fork-join.mjs in goroutines: one for every call, and nothing computed without one.
// Arguments: threads, size, samples. Prints µs a task, the median over the samples.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"
)

func tree(n int, result chan<- int) {
	if n < 2 {
		result <- n
		return
	}
	a, b := make(chan int, 1), make(chan int, 1)
	go tree(n-1, a)
	go tree(n-2, b)
	result <- <-a + <-b
}

func count(n int) int {
	if n < 2 {
		return 1
	}
	return 1 + count(n-1) + count(n-2)
}

func main() {
	var arguments [3]int
	for i := range arguments {
		arguments[i], _ = strconv.Atoi(os.Args[1+i])
	}
	runtime.GOMAXPROCS(arguments[0])
	size, samples := arguments[1], arguments[2]
	tasks := float64(count(size))
	values := []float64{}
	for i := 0; i < samples+2; i++ {
		start := time.Now()
		result := make(chan int, 1)
		go tree(size, result)
		<-result
		if i >= 2 {
			values = append(values, float64(time.Since(start).Nanoseconds())/1000/tasks)
		}
	}
	slices.Sort(values)
	fmt.Println(values[len(values)/2])
}
