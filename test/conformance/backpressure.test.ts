import { backpressure } from "./backpressure.ts";
import { paths } from "./paths.ts";

paths.forEach(backpressure);
