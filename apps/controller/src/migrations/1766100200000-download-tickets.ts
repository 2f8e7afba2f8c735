import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tickets of downloads, which live for seconds. */
export class DownloadTickets1766100200000 implements MigrationInterface {
  name = 'DownloadTickets1766100200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE TABLE download_ticket (
      hash text NOT NULL,
      path text NOT NULL,
      token uuid NOT NULL,
      expires_at timestamp with time zone NOT NULL,
      CONSTRAINT download_ticket_pkey PRIMARY KEY (hash),
      CONSTRAINT download_ticket_token_fkey FOREIGN KEY (token) REFERENCES token (id)
    )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE download_ticket`);
  }
}
