import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is about one series becomes data: proofs say expected, taken and detail; features are a set of names. */
const UP = [
  `update result set proof = jsonb_build_object(
     'test', proof -> 'test', 'expected', proof -> 'expected',
     'taken', case when proof ->> 'aliasPages' = '0' then 'ram' else proof ->> 'mapType' end,
     'detail', jsonb_build_object(
       'alias pages', proof -> 'aliasPages', 'RAM pages', proof -> 'ramPages',
       'dma_alias calls', proof -> 'aliasCalls', 'pages migrated back', proof -> 'migratedBack',
       'bytes compared', proof -> 'bytesCompared', 'oracle reads', proof -> 'oracle'))
   where proof ? 'aliasPages'`,
  `update bundle set manifest = jsonb_set(manifest, '{features}',
     case when (manifest #>> '{features,dmaAlias}')::boolean then '["dma_alias"]'::jsonb else '[]'::jsonb end)
   where jsonb_typeof(manifest -> 'features') = 'object'`,
];

const DOWN = [
  `update result set proof = jsonb_build_object(
     'test', proof -> 'test', 'expected', proof -> 'expected',
     'aliasPages', coalesce(proof #> '{detail,alias pages}', '0'), 'ramPages', coalesce(proof #> '{detail,RAM pages}', '0'),
     'mapType', case when proof ->> 'taken' = 'ram' then 'NONE' else proof ->> 'taken' end,
     'aliasCalls', coalesce(proof #> '{detail,dma_alias calls}', '0'),
     'migratedBack', coalesce(proof #> '{detail,pages migrated back}', '0'),
     'bytesCompared', coalesce(proof #> '{detail,bytes compared}', '0'),
     'oracle', coalesce(proof #>> '{detail,oracle reads}', '0') not in ('0', 'false'))
   where proof ? 'taken'`,
  `update bundle set manifest = jsonb_set(manifest, '{features}',
     jsonb_build_object('dmaAlias', manifest -> 'features' ? 'dma_alias'))
   where jsonb_typeof(manifest -> 'features') = 'array'`,
];

export class SeriesAsData1764800000000 implements MigrationInterface {
  name = 'SeriesAsData1764800000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
