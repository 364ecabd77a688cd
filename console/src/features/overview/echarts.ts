// Only the parts of ECharts that the trend needs, behind a type of our own.
import { BarChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import type { ECBasicOption } from "echarts/types/dist/shared";
import { CanvasRenderer } from "echarts/renderers";

use([BarChart, GridComponent, TooltipComponent, LegendComponent, AriaComponent, CanvasRenderer]);

interface Drawn {
  show: (option: ECBasicOption) => void;
  resize: () => void;
  dispose: () => void;
}

/** `onOpen` gets the position of the clicked bar on the axis and of its series. */
export function start(box: HTMLDivElement, onOpen: (slot: number, series: number) => void): Drawn {
  const chart = init(box);
  chart.on("click", (clicked) => onOpen(clicked.dataIndex, clicked.seriesIndex ?? 0));
  return { show: (option) => chart.setOption(option, { notMerge: true }), resize: () => chart.resize(), dispose: () => chart.dispose() };
}
