import { endings } from "./endings.ts";
import { paths } from "./paths.ts";

paths.forEach(endings);
