/*
 * A dashboard as Grafana's own types have it, of the version that deploy/compose
 * runs, but that what those leave open is closed: a panel is one of the two kinds
 * that there are, with that kind's options, and its targets are Prometheus'.
 */
import type { Dashboard as Raw, DataQuery, FieldConfig, GraphFieldConfig, Panel as RawPanel } from '@grafana/schema';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as TimeSeries } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/* JSON has no enumerations, but what their members stand for. */
type Written<T> = T extends string ? `${T}` : T extends (infer U)[] ? Written<U>[] : T extends object ? { [K in keyof T]: Written<T[K]> } : T;

type Target = Pick<DataQuery, 'refId'> & { expr: string; legendFormat: string };
type Needed = 'id' | 'title' | 'description' | 'gridPos' | 'datasource';
/* Of options, Grafana fills in what is not said, whole. */
type Of<Type extends string, Options, Defaults> = Omit<RawPanel, Needed | 'type' | 'options' | 'fieldConfig' | 'targets'> &
	Required<Pick<RawPanel, Needed>> & {
		type: Type;
		options: Partial<Options>;
		targets: Target[];
		fieldConfig: { defaults: Omit<FieldConfig, 'custom' | 'unit'> & { unit: string } & Defaults; overrides: never[] };
	};
/* A figure has a colour of its own, or limits: Grafana's are red from 80 on. */
type Coloured = Required<Pick<FieldConfig, 'color'>> | Required<Pick<FieldConfig, 'thresholds'>>;
type Panel = Of<'stat', Stat, Coloured> | Of<'timeseries', TimeSeries, { custom: GraphFieldConfig }>;

export type Dashboard = Written<Omit<Raw, 'panels'> & { panels: Panel[] }>;
